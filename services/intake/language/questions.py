"""What to ask a customer for, in his language: one question per missing field, and why it is asked (R038).

Few at once: whoever has to fill in a form gives up (R043). The most telling fields come first, in the order of `completeness.ASKED`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from shared.events.codes import DEFAULT_LOCALE, Locale

ASKED_AT_ONCE: Final = 3
"""Questions of one answer."""


@dataclass(frozen=True)
class Prompt:
    """A question for the caller to show; ``suggestion`` is what an earlier request said, for the customer to confirm."""

    field: str
    question: str
    why: str
    suggestion: str | None = None


_EN: Final = {
    "text": ("What happened, or what do you need?", "So that the right person can start at once."),
    "customer.name": ("What is your name?", "So that we know how to address you."),
    "customer.phone": ("How can we reach you: a phone number or an e-mail address?", "So that we can answer you."),
    "type": (
        "What shall we do: repair, return, exchange, refund, install, or answer a question?",
        "It decides who helps you.",
    ),
    "product.model": ("Which product is it? The model is on the type plate or the invoice.", "Parts and instructions differ by model."),
    "product.serial_number": ("What is its serial number? It is on the type plate.", "It tells the warranty and the batch."),
    "product.purchase_date": ("When did you buy it?", "The warranty is reckoned from that day."),
    "product.order_number": ("What is the number of your order?", "So that we find your purchase."),
    "expected_resolution_at": ("By when would you like it solved?", "So that we plan with your wish in mind."),
}
_ZH_CN: Final = {
    "text": ("请问发生了什么，或者您需要什么帮助？", "以便合适的人员马上开始处理。"),
    "customer.name": ("请问怎么称呼您？", "以便我们与您联系。"),
    "customer.phone": ("请留下您的电话或电子邮箱。", "以便我们给您答复。"),
    "type": ("您希望我们做什么：维修、退货、换货、退款、安装，还是解答问题？", "这决定由谁为您服务。"),
    "product.model": ("请问是哪一款产品？型号在铭牌或发票上。", "不同型号的配件和说明不同。"),
    "product.serial_number": ("请提供产品序列号，见铭牌。", "用于确认保修和批次。"),
    "product.purchase_date": ("请问是哪天购买的？", "保修期从购买之日起计算。"),
    "product.order_number": ("请提供订单号。", "以便查到您的购买记录。"),
    "expected_resolution_at": ("您希望什么时候解决？", "以便按您的期望安排。"),
}
_ZH_TW: Final = {
    "text": ("請問發生了什麼事，或您需要什麼協助？", "以便合適的人員立即開始處理。"),
    "customer.name": ("請問怎麼稱呼您？", "以便我們與您聯絡。"),
    "customer.phone": ("請留下您的電話或電子郵件。", "以便我們回覆您。"),
    "type": ("您希望我們做什麼：維修、退貨、換貨、退款、安裝，還是解答問題？", "這會決定由誰為您服務。"),
    "product.model": ("請問是哪一款產品？型號在銘牌或發票上。", "不同型號的零件和說明不同。"),
    "product.serial_number": ("請提供產品序號，見銘牌。", "用於確認保固和批次。"),
    "product.purchase_date": ("請問是哪天購買的？", "保固自購買日起算。"),
    "product.order_number": ("請提供訂單編號。", "以便查到您的購買紀錄。"),
    "expected_resolution_at": ("您希望什麼時候解決？", "以便依您的期望安排。"),
}

QUESTIONS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = MappingProxyType(
    {Locale.EN: _EN, Locale.ZH_CN: _ZH_CN, Locale.ZH_TW: _ZH_TW}
)
"""By language and field: the question, and why."""


def prompts(missing: Sequence[str], locale: str, suggestions: Mapping[str, str] = MappingProxyType({})) -> tuple[Prompt, ...]:
    """The next questions, in the language; an unknown language reads as the default one."""
    words = QUESTIONS.get(locale) or QUESTIONS[DEFAULT_LOCALE]
    return tuple(Prompt(field, *words[field], suggestions.get(field)) for field in missing[:ASKED_AT_ONCE])
