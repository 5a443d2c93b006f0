"""What customers write: sentences by language and request type, with openers and closers, so that hardly two messages are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from shared.events.codes import Locale, RequestType

Sentences = Mapping[RequestType, Sequence[str]]


@dataclass(frozen=True)
class Slots:
    """What the sentences speak of."""

    product: str
    model: str
    order: str
    days: int
    amount: int


OPENERS: Final[Mapping[Locale, Sequence[str]]] = {
    Locale.ZH_CN: ("你好，", "您好，", "客服在吗？", "请问一下，", "", "麻烦看一下，"),
    Locale.ZH_TW: ("您好，", "你好，", "請問，", "不好意思打擾了，", ""),
    Locale.EN: ("Hello. ", "Hi there! ", "Good morning. ", "", "Dear team: "),
}
CLOSERS: Final[Mapping[Locale, Sequence[str]]] = {
    Locale.ZH_CN: ("", "麻烦尽快处理。", "请回复我。", "急！", "等你们消息。"),
    Locale.ZH_TW: ("", "麻煩盡快處理。", "再請回覆，謝謝。", "有點急。"),
    Locale.EN: ("", "Please get back to me soon.", "Could you look into this?", "It is rather urgent."),
}

PROBLEMS: Final[Mapping[Locale, Sentences]] = {
    Locale.ZH_CN: {
        RequestType.ENQUIRY: (
            "{product}（型号{model}）的滤芯多久换一次？",
            "订单{order}什么时候能发货？已经等了{days}天了。",
            "{product}怎么连接手机？说明书没看懂。",
            "这款{product}的保修期是多久？",
            "可以改一下订单{order}的收货地址吗？",
        ),
        RequestType.COMPLAINT: (
            "订单{order}的物流信息{days}天没有更新了，没人管吗？",
            "客服答应{days}天内回电，到现在没有消息，太失望了。",
            "{product}修了两次还是老样子，这是什么质量？",
            "退款{amount}元拖了{days}天还没到账。",
        ),
        RequestType.REPAIR: (
            "{product}开机没反应，用了才{days}天。",
            "{model}漏水，底座都湿了。",
            "{product}有很大的异响，需要上门看看。",
            "{product}屏幕不亮，按键也没有反应。",
        ),
        RequestType.RETURN: ("收到的{product}颜色不对，想退货，订单{order}。", "{product}不适合，七天内想退货，怎么办理？"),
        RequestType.REFUND: ("订单{order}已经退货，{amount}元什么时候退回？", "多扣了{amount}元，请退给我。"),
        RequestType.INSTALLATION: ("{product}到了，想约周末上门安装。", "订单{order}的{product}什么时候可以安装？"),
        RequestType.TECHNICAL_SUPPORT: ("{product}升级之后连不上WiFi。", "{model}一直提示错误代码E{days}，怎么处理？"),
        RequestType.SUGGESTION: ("建议{product}增加童锁功能。", "希望物流可以实时通知。"),
        RequestType.PRAISE: ("师傅上门很准时，{product}修得很好，点赞！", "{product}很好用，客服也很耐心。"),
    },
    Locale.ZH_TW: {
        RequestType.ENQUIRY: (
            "{product}（型號{model}）的濾心多久要換一次？",
            "訂單{order}什麼時候會出貨？已經等{days}天了。",
            "{product}要怎麼連手機？",
            "請問{product}的保固多久？可以開發票統編嗎？",
        ),
        RequestType.COMPLAINT: (
            "訂單{order}的宅配進度{days}天沒更新了。",
            "說好{days}天內回電，到現在都沒有，很失望。",
            "退款{amount}元等了{days}天還沒入帳。",
        ),
        RequestType.REPAIR: ("{product}完全不能開機，才用{days}天。", "{model}一直當機，需要送修嗎？", "{product}漏水了，底座都是水。"),
        RequestType.RETURN: ("收到的{product}顏色不對，想退貨，訂單{order}。",),
        RequestType.REFUND: ("訂單{order}已退貨，{amount}元什麼時候退款？",),
        RequestType.INSTALLATION: ("{product}到貨了，想約週末到府安裝。",),
        RequestType.TECHNICAL_SUPPORT: ("{product}更新之後連不上網路。", "{model}一直顯示錯誤代碼E{days}。"),
        RequestType.SUGGESTION: ("建議{product}增加兒童安全鎖。",),
        RequestType.PRAISE: ("師傅到府很準時，{product}修得很好！",),
    },
    Locale.EN: {
        RequestType.ENQUIRY: (
            "How often does the filter of my {product} ({model}) need changing?",
            "When will order {order} ship? I have been waiting for {days} days.",
            "How long is the warranty of the {product}?",
        ),
        RequestType.COMPLAINT: (
            "Tracking of order {order} has not moved for {days} days.",
            "I was promised a call within {days} days and heard nothing.",
            "My refund of {amount} yuan has been pending for {days} days.",
        ),
        RequestType.REPAIR: (
            "My {product} does not turn on after {days} days of use.",
            "The {model} leaks at the base.",
            "The {product} rattles.",
        ),
        RequestType.RETURN: ("The {product} of order {order} has the wrong colour, I would like to return it.",),
        RequestType.REFUND: ("I returned order {order}; when will I see the {amount} yuan?",),
        RequestType.INSTALLATION: ("The {product} has arrived, can someone install it at the weekend?",),
        RequestType.TECHNICAL_SUPPORT: ("After the update my {product} no longer finds the network.", "The {model} shows error E{days}."),
        RequestType.SUGGESTION: ("It would be great if the {product} had a child lock.",),
        RequestType.PRAISE: ("The engineer was on time and the {product} works like new!",),
    },
}

AGAIN: Final[Mapping[Locale, Sequence[str]]] = {
    Locale.ZH_CN: ("还没有人联系我，{product}的问题怎么样了？", "补充一下，订单号是{order}。", "再问一下进度。"),
    Locale.ZH_TW: ("還沒有人聯絡我，{product}的問題怎麼樣了？", "補充一下，訂單是{order}。"),
    Locale.EN: ("Nobody has contacted me yet about the {product}.", "One more thing: the order number is {order}."),
}
"""A second message about the same matter."""

DETAILS: Final[Mapping[Locale, Sequence[str]]] = {
    Locale.ZH_CN: ("序列号在机器底部，我已经拍照了，购买{days}天。", "按你说的试过了，还是不行。"),
    Locale.ZH_TW: ("序號在機器底部，購買{days}天。", "照你說的試過了，還是不行。"),
    Locale.EN: ("The serial number is on the bottom; I bought it {days} days ago.", "I tried that, it did not help."),
}
"""The answer to a question of the staff."""

THANKS: Final[Mapping[Locale, Sequence[str]]] = {
    Locale.ZH_CN: ("谢谢！", "非常感谢", "好的，谢谢你们"),
    Locale.ZH_TW: ("謝謝！", "非常感謝"),
    Locale.EN: ("Thank you!", "Thanks a lot", "Great, thank you"),
}

ANSWERS: Final[Mapping[Locale, Mapping[str, str]]] = {
    Locale.ZH_CN: {
        "ask": "请问产品的序列号是多少？",
        "solve": "您好，您反映的问题已经为您处理好了，请查收。",
        "first": "您好，已收到您的问题，我们马上查看。",
    },
    Locale.ZH_TW: {
        "ask": "請問產品的序號是多少？",
        "solve": "您好，您反映的問題已經處理完成，請確認。",
        "first": "您好，已收到您的問題，我們馬上查看。",
    },
    Locale.EN: {
        "ask": "Could you tell us the serial number, please?",
        "solve": "We have taken care of your problem.",
        "first": "Thank you for your message, we are looking into it.",
    },
}
"""What the staff writes: a first reply, a question, the solution."""

COMMENTS: Final[Mapping[Locale, Mapping[bool, Sequence[str]]]] = {
    Locale.ZH_CN: {True: ("处理很快", "客服很耐心", "满意"), False: ("等太久了，要投诉", "问题根本没有解决", "态度需要改进")},
    Locale.ZH_TW: {True: ("處理很快", "客服很有耐心"), False: ("等太久了，我要客訴", "問題沒有解決")},
    Locale.EN: {True: ("Quick and friendly", "Well done"), False: ("Took far too long, I want to complain", "Not solved at all")},
}
"""What a pleased and a displeased customer adds to his answers."""


def problem(random: Random, locale: Locale, kind: RequestType, slots: Slots) -> str:
    """A message that opens a matter."""
    sentence = random.choice(PROBLEMS[locale][kind])
    return f"{random.choice(OPENERS[locale])}{_fill(sentence, slots)}{_space(locale)}{random.choice(CLOSERS[locale])}".strip()


def said(random: Random, phrases: Mapping[Locale, Sequence[str]], locale: Locale, slots: Slots) -> str:
    """One of the phrases in this language."""
    return _fill(random.choice(phrases[locale]), slots)


def _fill(sentence: str, slots: Slots) -> str:
    return sentence.format(product=slots.product, model=slots.model, order=slots.order, days=slots.days, amount=slots.amount)


def _space(locale: Locale) -> str:
    return " " if locale is Locale.EN else ""
