"""How a request stands, as its customer reads it: no internal word, and what is expected of him."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from services.tickets.language.codes import Words, chosen
from shared.events.codes import Locale

STATUS: Final[Mapping[str, Words]] = {
    "new": ("我们已收到您的请求，即将安排处理。", "我們已收到您的請求，即將安排處理。", "We have your request and will look at it soon."),
    "triaged": (
        "我们已查看您的请求，正在安排人员。",
        "我們已查看您的請求，正在安排人員。",
        "We have looked at your request and are finding the right person.",
    ),
    "assigned": ("已有专人负责您的请求。", "已有專人負責您的請求。", "Somebody is in charge of your request."),
    "in_progress": ("我们正在处理您的请求。", "我們正在處理您的請求。", "We are working on your request."),
    "waiting_customer": ("我们在等待您的回复。", "我們在等待您的回覆。", "We are waiting for your answer."),
    "waiting_parts": ("我们在等待所需备件到货。", "我們在等待所需備件到貨。", "We are waiting for parts to arrive."),
    "waiting_third_party": ("我们在等待合作方的处理结果。", "我們在等待合作夥伴的處理結果。", "We are waiting for one of our partners."),
    "resolved": ("我们已给出解决方案。", "我們已給出解決方案。", "We have given you a solution."),
    "confirmed": ("您已确认问题解决。", "您已確認問題解決。", "You confirmed that it is solved."),
    "closed": ("请求已结束。", "請求已結束。", "Your request is closed."),
    "cancelled": ("请求已取消。", "請求已取消。", "Your request was cancelled."),
    "merged": (
        "请求已与您的另一个请求合并处理。",
        "請求已與您的另一個請求合併處理。",
        "Your request goes on together with another one of yours.",
    ),
}

EXPECTED: Final[Mapping[str, Words]] = {
    "answer": (
        "请在 {until} 前回复我们的问题，否则请求将被关闭。",
        "請在 {until} 前回覆我們的問題，否則請求將被關閉。",
        "Please answer our question before {until}; otherwise the request will be closed.",
    ),
    "check": (
        "请检查问题是否解决。如未解决，请在 {until} 前回复，我们会继续处理。",
        "請檢查問題是否解決。如未解決，請在 {until} 前回覆，我們會繼續處理。",
        "Please check whether it is solved. If not, reply before {until} and we will go on.",
    ),
    "nothing": ("您暂时无需做任何事。", "您暫時無需做任何事。", "There is nothing you need to do for now."),
    "ended": (
        "如问题再次出现，请重新联系我们。",
        "如問題再次出現，請重新聯絡我們。",
        "If the problem comes back, please contact us again.",
    ),
}
"""What the customer should do, by code."""


def status_in_words(status: str, locale: Locale) -> str:
    """How it stands."""
    return chosen(STATUS[status], locale) if status in STATUS else status


def expected_in_words(code: str, until: datetime | None, zone: ZoneInfo, locale: Locale) -> str:
    """What the customer should do."""
    return chosen(EXPECTED[code], locale).format(until="" if until is None else moment(until, zone, locale))


def moment(at: datetime, zone: ZoneInfo, locale: Locale) -> str:
    """An instant on the organisation's clock."""
    pattern = "d MMMM y, HH:mm" if locale is Locale.EN else "y年M月d日 HH:mm"
    return format_datetime(at, pattern, tzinfo=zone, locale=locale.value.replace("-", "_"))
