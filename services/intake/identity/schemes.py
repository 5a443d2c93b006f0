"""What a customer is known by: kinds of identities, and how strong each is.

An account is proven by whoever runs it, so it is *strong*: it is one customer's and no one else's. An e-mail address, a phone number, a
device or a browser is *weak*: several persons may share it, and anybody can claim it. A weak one becomes strong for the customer who has
proven it (`verified`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Self

MAX_ACCOUNT: Final = 200
"""Characters of an account's id, and of a scope."""


class Scheme(StrEnum):
    """Kinds of identities, strongest first."""

    APP_USER = "app_user"
    WECHAT_UNIONID = "wechat_unionid"
    WECHAT_OPENID = "wechat_openid"
    WECOM_EXTERNAL_USERID = "wecom_external_userid"
    WHATSAPP_BSUID = "whatsapp_bsuid"
    WHATSAPP_PHONE = "whatsapp_phone"
    MESSENGER = "messenger"
    INSTAGRAM = "instagram"
    LINE = "line"
    TELEGRAM = "telegram"
    X = "x"
    WEIBO = "weibo"
    EMAIL = "email"
    PHONE = "phone"
    DEVICE = "device"
    WEB_SESSION = "web_session"


RANK: Final = {scheme: rank for rank, scheme in enumerate(Scheme)}
"""Strongest first."""
WEAK: Final = frozenset({Scheme.EMAIL, Scheme.PHONE, Scheme.DEVICE, Scheme.WEB_SESSION})
_ANONYMOUS: Final = frozenset({Scheme.DEVICE, Scheme.WEB_SESSION})
SCOPED: Final = frozenset(
    {
        Scheme.WECHAT_UNIONID,
        Scheme.WECHAT_OPENID,
        Scheme.WECOM_EXTERNAL_USERID,
        Scheme.WHATSAPP_BSUID,
        Scheme.MESSENGER,
        Scheme.INSTAGRAM,
        Scheme.LINE,
    }
)
"""Their ids mean something only within an app, a page, a company or a provider, which is the scope."""


class Evidence(StrEnum):
    """How we know of a link."""

    SHOWN = "shown"
    CLAIMED = "claimed"
    ENTERED = "entered"


class Unreadable(ValueError):
    """A phone number, e-mail address or account that does not parse; the message says what is wrong with it."""


@dataclass(frozen=True, order=True)
class Identity:
    """``value`` is what is compared, ``address`` what is written to; ``matches`` is False for a mere contact.

    ``stands_in``: the channel on which its holder stands for everybody unknown who shows it.
    """

    scheme: Scheme
    value: str
    address: str = field(default="", compare=False)
    matches: bool = field(default=True, compare=False)
    scope: str = ""
    evidence: Evidence = field(default=Evidence.SHOWN, compare=False)
    is_verified: bool = field(default=False, compare=False)
    stands_in: str | None = field(default=None, compare=False)

    def __hash__(self) -> int:
        """As equal ones have: sets of identities are looked into all the time, and the value alone tells most apart."""
        return hash(self.value)

    @property
    def place(self) -> tuple[str, str]:
        """Where it stands in the order in which identities are locked."""
        return self.kind, self.value

    @property
    def kind(self) -> str:
        """The scheme with its scope, as it is stored: ``line:1653``."""
        return f"{self.scheme}:{self.scope}" if self.scope else self.scheme.value

    @property
    def is_weak(self) -> bool:
        """Whether several persons may have it."""
        return self.scheme in WEAK

    @property
    def leads_to_him(self) -> bool:
        """Whether its holder can be written to, called or found by it; a device or browser alone leads nowhere."""
        return self.scheme not in _ANONYMOUS

    @classmethod
    def stored(cls, kind: str, value: str, address: str = "", matches: bool = True, **known: object) -> Self:
        """An identity as it is stored."""
        scheme, _, scope = kind.partition(":")
        return cls(Scheme(scheme), value, address, matches, scope, **known)  # type: ignore[arg-type]

    def contact(self, evidence: Evidence | None = None) -> Self:
        """The same as an address that recognises nobody."""
        return replace(self, matches=False, evidence=evidence or self.evidence)


def app_user_identity(app_user_id: str) -> Identity:
    """The account in the app; ids are compared as they are."""
    return Identity(Scheme.APP_USER, app_user_id)


def account_identity(scheme: Scheme, scope: str | None, value: str, read: Callable[[str], Identity]) -> Identity:
    """An account of a channel, or a device or browser; ids are compared as they are. ``read`` reads the number of a WhatsApp account.

    Raises:
        Unreadable: the scope is missing, or not wanted, or the number is none.
    """
    if (scheme in SCOPED) != (scope is not None):
        wanted = "needs a scope: the app, page, company or provider" if scheme in SCOPED else "has no scope"
        raise Unreadable(f"{scheme} {wanted}")
    if scheme is Scheme.WHATSAPP_PHONE:
        number = read(value if value.startswith("+") else f"+{value}")
        return Identity(scheme, number.value, number.address)
    return Identity(scheme, value, scope=scope or "")
