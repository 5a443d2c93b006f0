"""How a request stands, in the customer's words: no internal codes, and what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shared.events.codes import DEFAULT_LOCALE, Locale

RECEIVED: Final = "received"
"""Before a ticket has taken the request up."""
DISMISSED: Final = "dismissed"

_EN: Final = {
    RECEIVED: ("We have received it.", "It is being sorted and given to the right team."),
    DISMISSED: ("We checked it and there is nothing for us to do.", "If this is wrong, reply and we will look again."),
    "new": ("We have received it.", "It is being sorted and given to the right team."),
    "triaged": ("It has been sorted.", "Somebody will take it on shortly."),
    "assigned": ("Somebody is responsible for it.", "Work on it begins shortly."),
    "in_progress": ("We are working on it.", "You hear from us as soon as there is news."),
    "waiting_customer": ("We need an answer from you.", "Please reply to our last message; then we go on."),
    "waiting_parts": ("We are waiting for parts.", "We go on as soon as they are here."),
    "waiting_third_party": ("We are waiting for a partner.", "We go on as soon as he has answered."),
    "resolved": ("It is solved.", "If it is not, reply within 7 days and we open it again."),
    "confirmed": ("You confirmed that it is solved.", "It is closed after 7 days."),
    "closed": ("It is closed.", "If you need us again, write to us with this number."),
    "cancelled": ("It was cancelled.", "If this is wrong, reply and we will look again."),
    "merged": ("It goes on together with another request of yours.", "Follow that one."),
}
_ZH_CN: Final = {
    RECEIVED: ("我们已收到。", "正在分类并转交合适的团队。"),
    DISMISSED: ("经核实，无需处理。", "如有误，请回复，我们会再次核实。"),
    "new": ("我们已收到。", "正在分类并转交合适的团队。"),
    "triaged": ("已完成分类。", "很快会有人员接手。"),
    "assigned": ("已有专人负责。", "即将开始处理。"),
    "in_progress": ("正在处理。", "一有进展就会通知您。"),
    "waiting_customer": ("需要您的答复。", "请回复我们的上一条消息，收到后继续处理。"),
    "waiting_parts": ("正在等待配件。", "配件到货后继续处理。"),
    "waiting_third_party": ("正在等待合作方答复。", "收到答复后继续处理。"),
    "resolved": ("已解决。", "如未解决，请在7天内回复，我们会重新打开。"),
    "confirmed": ("您已确认解决。", "7天后关闭。"),
    "closed": ("已关闭。", "如再次需要帮助，请附上此编号联系我们。"),
    "cancelled": ("已取消。", "如有误，请回复，我们会再次核实。"),
    "merged": ("已与您的另一个请求合并处理。", "请查看那个请求。"),
}
_ZH_TW: Final = {
    RECEIVED: ("我們已收到。", "正在分類並轉交合適的團隊。"),
    DISMISSED: ("經核實，無需處理。", "如有誤，請回覆，我們會再次核實。"),
    "new": ("我們已收到。", "正在分類並轉交合適的團隊。"),
    "triaged": ("已完成分類。", "很快會有人員接手。"),
    "assigned": ("已有專人負責。", "即將開始處理。"),
    "in_progress": ("正在處理。", "一有進展就會通知您。"),
    "waiting_customer": ("需要您的回覆。", "請回覆我們的上一則訊息，收到後繼續處理。"),
    "waiting_parts": ("正在等待零件。", "零件到貨後繼續處理。"),
    "waiting_third_party": ("正在等待合作夥伴回覆。", "收到回覆後繼續處理。"),
    "resolved": ("已解決。", "如未解決，請在7天內回覆，我們會重新開啟。"),
    "confirmed": ("您已確認解決。", "7天後結案。"),
    "closed": ("已結案。", "如再次需要協助，請附上此編號與我們聯絡。"),
    "cancelled": ("已取消。", "如有誤，請回覆，我們會再次核實。"),
    "merged": ("已與您的另一項請求合併處理。", "請查看該項請求。"),
}

WORDS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = MappingProxyType({Locale.EN: _EN, Locale.ZH_CN: _ZH_CN, Locale.ZH_TW: _ZH_TW})
"""By language and status: how it stands, and what is next."""


def progress(status: str, locale: str) -> tuple[str, str]:
    """How a request of that status stands, and what comes next; a status that is not known here reads as being worked on."""
    words = WORDS.get(locale) or WORDS[DEFAULT_LOCALE]
    return words.get(status) or words["in_progress"]
