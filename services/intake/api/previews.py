"""Samples of messages, for whoever wants to know how they read before a customer does."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.intake.mail import Letterhead, Words, write
from services.intake.sending import KINDS, Notification

NUMBER: Final = "AS-20261125EEA182H"
INTO: Final = "AS-20261124EDZ9Q7K"
NOBODY: Final = UUID(int=0)


def preview(kind: str, locale: str, status: str | None, letterhead: Letterhead, wording: str | None, now: datetime) -> Words:
    """How a message of a known kind reads. ``status`` is told by `ticket_status`, resolved by default; ``wording`` as in `mail.write`."""
    return write(_sample(kind, locale, status or "resolved", now), letterhead, wording)


def _sample(kind: str, locale: str, status: str, now: datetime) -> Notification:
    rules = KINDS[kind]
    link = "https://survey.example.com/s/sample" if rules.is_about_survey else None
    return Notification(
        event_id=NOBODY,
        notification_id=NOBODY,
        customer_id=NOBODY,
        kind=kind,
        locale=locale,
        requested_at=now,
        ticket_number=NUMBER,
        text=_ANSWERS[locale] if rules.needs == "text" else None,
        link=link,
        data={
            "status": status,
            "into": INTO,
            "closes_at": (now + timedelta(days=4)).isoformat(),
            "opt_out_link": "" if link is None else f"{link}/opt-out",
        },
        expires_at=now + timedelta(days=7) if rules.is_about_survey else None,
    )


_ANSWERS: Final = {
    "zh-CN": "您好，师傅已更换风机，请再试一下。",
    "zh-TW": "您好，師傅已更換風扇，請再試一次。",
    "en": "Our engineer has replaced the fan. Please try it again.",
}
