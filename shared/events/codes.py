"""Closed lists that events and REST share. Closed for writers (anything else is 422), open for readers (shown as it is)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Channel(StrEnum):
    """Where a request came from."""

    PHONE = "phone"
    WEB = "web"
    APP = "app"
    EMAIL = "email"
    SMS = "sms"
    CHAT = "chat"
    BOT = "bot"
    WECHAT = "wechat"
    WECOM = "wecom"
    WEIBO = "weibo"
    WHATSAPP = "whatsapp"
    MESSENGER = "messenger"
    INSTAGRAM = "instagram"
    LINE = "line"
    TELEGRAM = "telegram"
    X = "x"
    WALK_IN = "walk_in"
    INTERNAL = "internal"
    LISTENING = "listening"
    COMMUNITY = "community"


class RequestType(StrEnum):
    """What the customer wants."""

    ENQUIRY = "enquiry"
    COMPLAINT = "complaint"
    SUGGESTION = "suggestion"
    PRAISE = "praise"
    RETURN = "return"
    EXCHANGE = "exchange"
    REFUND = "refund"
    REPAIR = "repair"
    INSTALLATION = "installation"
    TECHNICAL_SUPPORT = "technical_support"


class Locale(StrEnum):
    """Languages of pages and messages to customers."""

    ZH_CN = "zh-CN"
    ZH_TW = "zh-TW"
    EN = "en"


DEFAULT_LOCALE: Final = Locale.ZH_CN
MAX_TEXT: Final = 20_000
"""Characters of a message's text."""
