"""What may be shown of an identity to someone who may not see it: enough to recognise one's own, too little to use it."""

from __future__ import annotations

from services.intake.identity.schemes import Identity, Scheme

_HIDDEN = "•••"


def masked(identity: Identity) -> str:
    """``+8613800138000`` as ``+86•••00``, ``wang.wei@example.com`` as ``w•••@example.com``; of an account the last two characters."""
    text = identity.address or identity.value
    match identity.scheme:
        case Scheme.EMAIL:
            local, _, domain = text.rpartition("@")
            return f"{local[:1]}{_HIDDEN}@{domain}"
        case Scheme.PHONE | Scheme.WHATSAPP_PHONE:
            return f"{text[:3]}{_HIDDEN}{text[-2:]}"
        case _:
            return _HIDDEN + (text[-2:] if len(text) > 4 else "")
