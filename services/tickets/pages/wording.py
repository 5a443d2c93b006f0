"""What the tracking page says, in each of our languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.events.codes import Locale


@dataclass(frozen=True, slots=True)
class Words:
    """One language."""

    title: str
    languages: str
    number: str
    prove_lead: str
    prove_label: str
    prove_hint: str
    prove_button: str
    wrong: str
    locked: str
    link_ended: str
    failed: str
    error_prefix: str
    status: str
    progress: str
    expected: str
    dates: str
    opened: str
    changed: str
    resolved: str
    closed: str
    messages: str
    no_messages: str
    from_us: str
    from_you: str
    only_ours: str
    joined: str


WORDS: Final[Mapping[Locale, Words]] = {
    Locale.ZH_CN: Words(
        title="服务进度查询",
        languages="语言",
        number="服务单号",
        prove_lead="为保护您的信息，请先证明这是您的请求。",
        prove_label="手机号后四位，或电子邮箱",
        prove_hint="请填写您提交请求时留下的手机号后四位或邮箱。",
        prove_button="查看进度",
        wrong="单号与所填信息不符，请检查后重试。",
        locked="错误次数过多，请一小时后再试，或打开我们发给您的消息中的链接。",
        link_ended="链接已失效，请用下面的方式继续。",
        failed="暂时无法查询，请稍后再试。",
        error_prefix="错误：",
        status="当前状态",
        progress="进度",
        expected="需要您做什么",
        dates="时间",
        opened="提交",
        changed="最近更新",
        resolved="给出解决方案",
        closed="结束",
        messages="消息",
        no_messages="我们还没有给您发消息。",
        from_us="我们",
        from_you="您",
        only_ours="为保护您的信息，这里只显示我们发出的消息。",
        joined="该单号的请求与 {number} 一并处理。",
    ),
    Locale.ZH_TW: Words(
        title="服務進度查詢",
        languages="語言",
        number="服務單號",
        prove_lead="為保護您的資訊，請先證明這是您的請求。",
        prove_label="手機號碼末四碼，或電子信箱",
        prove_hint="請填寫您提出請求時留下的手機號碼末四碼或信箱。",
        prove_button="查看進度",
        wrong="單號與所填資訊不符，請檢查後重試。",
        locked="錯誤次數過多，請一小時後再試，或開啟我們寄給您的訊息中的連結。",
        link_ended="連結已失效，請用下面的方式繼續。",
        failed="暫時無法查詢，請稍後再試。",
        error_prefix="錯誤：",
        status="目前狀態",
        progress="進度",
        expected="需要您做什麼",
        dates="時間",
        opened="提出",
        changed="最近更新",
        resolved="給出解決方案",
        closed="結束",
        messages="訊息",
        no_messages="我們還沒有傳訊息給您。",
        from_us="我們",
        from_you="您",
        only_ours="為保護您的資訊，這裡只顯示我們發出的訊息。",
        joined="該單號的請求與 {number} 一併處理。",
    ),
    Locale.EN: Words(
        title="How your request stands",
        languages="Language",
        number="Service number",
        prove_lead="To protect what you told us, please show that this request is yours.",
        prove_label="Last 4 digits of your phone number, or your e-mail address",
        prove_hint="The ones that you gave with the request.",
        prove_button="Show my request",
        wrong="That does not match this number. Please check both and try again.",
        locked="There were too many wrong tries. Try again in an hour, or open the link in our message to you.",
        link_ended="The link has expired. Please go on as below.",
        failed="We cannot look it up right now. Please try again soon.",
        error_prefix="Error: ",
        status="Where it stands",
        progress="Progress",
        expected="What you need to do",
        dates="Dates",
        opened="Asked",
        changed="Last change",
        resolved="Solution given",
        closed="Ended",
        messages="Messages",
        no_messages="We have not written to you yet.",
        from_us="We",
        from_you="You",
        only_ours="To protect what you told us, only our messages are shown here.",
        joined="This request goes on together with {number}.",
    ),
}
