"""What the pages say, in each of our languages; translated by meaning, not converted. The questions are rows of the table `form`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.events.codes import Locale

LANGUAGES: Final[Mapping[Locale, str]] = {Locale.ZH_CN: "简体中文", Locale.ZH_TW: "繁體中文", Locale.EN: "English"}
"""Each language by its own name, for the switch."""


@dataclass(frozen=True, slots=True)
class Words:
    """All sentences of the pages in one language. ``{number}`` is the ticket, ``{moment}`` a date, with its time where it matters."""

    service: str
    switch: str
    title: str
    lead: str
    service_title: str
    service_lead: str
    deadline: str
    anonymous: str
    privacy: str
    anonymous_privacy: str
    required: str
    not_applicable: str
    progress: str
    submit: str
    error_prefix: str
    errors_title: str
    errors: Mapping[str, str]
    thanks_title: str
    thanks: str
    sorry: str
    no_way_back: str
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
    opt_out: str
    opt_out_title: str
    opt_out_text: str
    opt_out_button: str
    opted_out_title: str
    opted_out_text: str

    def error(self, code: str) -> str:
        """What is wrong with an answer, for a person."""
        return self.errors.get(code, self.errors["other"])


ZH_CN: Final = Words(
    service="售后服务",
    switch="语言",
    title="您的服务体验如何？",
    lead="您的服务单 {number} 已处理完成。请告诉我们您的感受，大约需要一分钟。",
    service_title="您的投诉解决了吗？",
    service_lead="您的投诉 {number} 已处理完成。我们只想确认一件事：",
    deadline="可填写至 {moment}。",
    anonymous="本次评价为匿名：您的回答不会与您或服务单关联，我们只保存回答的日期。请勿在文字中填写姓名、电话等信息。",
    privacy="您的回答会与该服务单一同保存，用于改进服务；如果问题仍未解决，我们会继续跟进。",
    anonymous_privacy="回答只用于汇总统计。由于无法得知是谁填写，我们不能据此跟进；如问题仍未解决，请直接联系我们。",
    required="必答",
    not_applicable="不适用",
    progress="必答",
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
    no_way_back="由于本次评价是匿名的，我们无法据此跟进。如果服务单 {number} 的问题仍未解决，请直接联系我们。",
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
    opt_out="不再接收满意度调查",
    opt_out_title="不再接收满意度调查？",
    opt_out_text="确认后，我们不会再向您发送满意度调查。与您的服务单有关的通知，以及投诉处理后的“是否已解决”确认，仍会发送。",
    opt_out_button="确认，不再接收",
    opted_out_title="已为您取消满意度调查",
    opted_out_text="您不会再收到满意度调查。如果改变主意，请联系我们。",
)

ZH_TW: Final = Words(
    service="售後服務",
    switch="語言",
    title="您的服務體驗如何？",
    lead="您的服務單 {number} 已處理完成。請告訴我們您的感受，大約需要一分鐘。",
    service_title="您的投訴解決了嗎？",
    service_lead="您的投訴 {number} 已處理完成。我們只想確認一件事：",
    deadline="可填寫至 {moment}。",
    anonymous="本次評價為匿名：您的回答不會與您或服務單連結，我們只保存回答的日期。請勿在文字中填寫姓名、電話等資訊。",
    privacy="您的回答會與該服務單一併保存，用於改善服務；若問題仍未解決，我們會繼續跟進。",
    anonymous_privacy="回答只用於彙總統計。由於無法得知是誰填寫，我們不能據此跟進；若問題仍未解決，請直接與我們聯繫。",
    required="必答",
    not_applicable="不適用",
    progress="必答",
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
    no_way_back="由於本次評價是匿名的，我們無法據此跟進。若服務單 {number} 的問題仍未解決，請直接與我們聯繫。",
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
    opt_out="不再接收滿意度調查",
    opt_out_title="不再接收滿意度調查？",
    opt_out_text="確認後，我們不會再寄送滿意度調查給您。與您的服務單有關的通知，以及投訴處理後的「是否已解決」確認，仍會寄送。",
    opt_out_button="確認，不再接收",
    opted_out_title="已為您取消滿意度調查",
    opted_out_text="您不會再收到滿意度調查。若改變主意，請與我們聯繫。",
)

EN: Final = Words(
    service="After-sales service",
    switch="Language",
    title="How did we do?",
    lead="Your request {number} has been resolved. Please tell us how it went. It takes about a minute.",
    service_title="Is your complaint solved?",
    service_lead="We have finished working on your complaint {number}. There is just one thing we would like to know:",
    deadline="You can answer until {moment}.",
    anonymous=(
        "This survey is anonymous: your answers are not linked to you or to your request, and we keep only the day. Please write "
        "nothing that tells who you are."
    ),
    privacy="Your answers are kept with this request so that we can improve, and follow up if something is still wrong.",
    anonymous_privacy=(
        "The answers are only used in sums. As we cannot know whose they are, we cannot follow them up: if something is still "
        "wrong, please contact us."
    ),
    required="required",
    not_applicable="Not applicable",
    progress="Required",
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
    no_way_back="As this survey is anonymous, we cannot follow it up. If request {number} is still not solved, please contact us.",
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
    opt_out="No more surveys, please",
    opt_out_title="No more surveys?",
    opt_out_text=(
        "Once you confirm, we will send you no more surveys. You will still get messages about your own requests, and after a "
        "complaint the one question whether it is solved."
    ),
    opt_out_button="Yes, no more surveys",
    opted_out_title="You will get no more surveys",
    opted_out_text="We have written that down. If you change your mind, please contact us.",
)

WORDS: Final[Mapping[Locale, Words]] = {Locale.ZH_CN: ZH_CN, Locale.ZH_TW: ZH_TW, Locale.EN: EN}
