"""What the pages say, in each of our languages; translated by meaning, not converted. The questions are in survey/forms.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.events.codes import Locale

LANGUAGES: Final[Mapping[Locale, str]] = {Locale.ZH_CN: "简体中文", Locale.ZH_TW: "繁體中文", Locale.EN: "English"}
"""Each language by its own name, for the switch."""


@dataclass(frozen=True, slots=True)
class Words:
    """All sentences of the pages in one language. ``{number}`` is the ticket, ``{moment}`` a date and time."""

    service: str
    switch: str
    title: str
    lead: str
    deadline: str
    privacy: str
    optional: str
    submit: str
    error_prefix: str
    errors_title: str
    errors: Mapping[str, str]
    thanks_title: str
    thanks: str
    sorry: str
    used_title: str
    used: str
    expired_title: str
    expired: str
    cancelled_title: str
    cancelled: str
    unknown_title: str
    unknown: str
    failed_title: str
    failed: str
    contact: str

    def error(self, code: str) -> str:
        """What is wrong with an answer, for a person."""
        return self.errors.get(code, self.errors["other"])


ZH_CN: Final = Words(
    service="售后服务",
    switch="语言",
    title="您的服务体验如何？",
    lead="您的服务单 {number} 已处理完成。请告诉我们您的感受，大约需要一分钟。",
    deadline="可填写至 {moment}。",
    privacy="您的回答会与该服务单一同保存，用于改进服务；如果问题仍未解决，我们会继续跟进。",
    optional="选填",
    submit="提交评价",
    error_prefix="有误：",
    errors_title="请检查以下内容",
    errors={
        "required": "请选择一个答案",
        "too_long": "文字太长，最多 20,000 字",
        "bad_text": "文字中含有无法保存的字符",
        "other": "请从给出的选项中选择",
    },
    thanks_title="感谢您的评价",
    thanks="您的回答已收到，它会帮助我们做得更好。",
    sorry="很抱歉这次没有让您满意。我们会重新跟进服务单 {number}，并与您联系。",
    used_title="此问卷已填写",
    used="您已于 {moment} 提交回答。每份问卷只能填写一次，以首次提交为准。",
    expired_title="此问卷已过期",
    expired="填写时间已于 {moment} 截止。如仍需帮助，请联系我们并注明服务单号 {number}。",
    cancelled_title="我们正在重新处理您的问题",
    cancelled="服务单 {number} 已重新打开，因此这份问卷不再有效。处理完成后，我们会再次邀请您评价。",
    unknown_title="链接无效",
    unknown="找不到对应的问卷。请确认链接完整，或从邮件中重新打开。",
    failed_title="暂时无法处理",
    failed="您的回答尚未保存。请稍后再试。",
    contact="联系我们",
)

ZH_TW: Final = Words(
    service="售後服務",
    switch="語言",
    title="您的服務體驗如何？",
    lead="您的服務單 {number} 已處理完成。請告訴我們您的感受，大約需要一分鐘。",
    deadline="可填寫至 {moment}。",
    privacy="您的回答會與該服務單一併保存，用於改善服務；若問題仍未解決，我們會繼續跟進。",
    optional="選填",
    submit="送出評價",
    error_prefix="有誤：",
    errors_title="請檢查以下內容",
    errors={
        "required": "請選擇一個答案",
        "too_long": "文字太長，最多 20,000 字",
        "bad_text": "文字中含有無法保存的字元",
        "other": "請從列出的選項中選擇",
    },
    thanks_title="感謝您的評價",
    thanks="您的回答已收到，它會幫助我們做得更好。",
    sorry="很抱歉這次沒有讓您滿意。我們會重新跟進服務單 {number}，並與您聯繫。",
    used_title="此問卷已填寫",
    used="您已於 {moment} 送出回答。每份問卷只能填寫一次，以首次送出為準。",
    expired_title="此問卷已過期",
    expired="填寫時間已於 {moment} 截止。若仍需協助，請與我們聯繫並註明服務單號 {number}。",
    cancelled_title="我們正在重新處理您的問題",
    cancelled="服務單 {number} 已重新開啟，因此這份問卷不再有效。處理完成後，我們會再次邀請您評價。",
    unknown_title="連結無效",
    unknown="找不到對應的問卷。請確認連結完整，或從郵件中重新開啟。",
    failed_title="暫時無法處理",
    failed="您的回答尚未儲存。請稍後再試。",
    contact="聯絡我們",
)

EN: Final = Words(
    service="After-sales service",
    switch="Language",
    title="How did we do?",
    lead="Your request {number} has been resolved. Please tell us how it went. It takes about a minute.",
    deadline="You can answer until {moment}.",
    privacy="Your answers are kept with this request so that we can improve, and follow up if something is still wrong.",
    optional="optional",
    submit="Send answers",
    error_prefix="Error: ",
    errors_title="Please check your answers",
    errors={
        "required": "Choose an answer",
        "too_long": "The text is too long: 20,000 characters at most",
        "bad_text": "The text holds characters that cannot be kept",
        "other": "Choose one of the answers shown",
    },
    thanks_title="Thank you for your answers",
    thanks="We have received them, and they help us to do better.",
    sorry="We are sorry that this did not go well. We will take up request {number} again and get back to you.",
    used_title="This survey has been answered",
    used="Your answers reached us on {moment}. Each survey can be answered once; the first answer counts.",
    expired_title="This survey has expired",
    expired="It could be answered until {moment}. If you still need help, please contact us and mention request {number}.",
    cancelled_title="We are working on your request again",
    cancelled="Request {number} was reopened, so this survey no longer applies. We will ask you again once it is solved.",
    unknown_title="This link does not work",
    unknown="There is no survey at this address. Please check that the link is complete, or open it again from the e-mail.",
    failed_title="That did not work",
    failed="Your answers were not saved. Please try again in a moment.",
    contact="Contact us",
)

WORDS: Final[Mapping[Locale, Words]] = {Locale.ZH_CN: ZH_CN, Locale.ZH_TW: ZH_TW, Locale.EN: EN}
