"""Details that a customer added without words of his own, as a line that people read."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shared.events.codes import DEFAULT_LOCALE, Locale

LABELS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        Locale.EN: {
            "": "Details added",
            "type": "type of request",
            "product.model": "model",
            "product.serial_number": "serial number",
            "product.purchase_date": "day of purchase",
            "product.order_number": "order number",
            "expected_resolution_at": "to be solved by",
            "customer.name": "name",
            "customer.phone": "phone",
            "customer.email": "e-mail",
        },
        Locale.ZH_CN: {
            "": "补充信息",
            "type": "服务类型",
            "product.model": "型号",
            "product.serial_number": "序列号",
            "product.purchase_date": "购买日期",
            "product.order_number": "订单号",
            "expected_resolution_at": "期望解决时间",
            "customer.name": "姓名",
            "customer.phone": "电话",
            "customer.email": "邮箱",
        },
        Locale.ZH_TW: {
            "": "補充資訊",
            "type": "服務類型",
            "product.model": "型號",
            "product.serial_number": "序號",
            "product.purchase_date": "購買日期",
            "product.order_number": "訂單編號",
            "expected_resolution_at": "期望解決時間",
            "customer.name": "姓名",
            "customer.phone": "電話",
            "customer.email": "電子郵件",
        },
    }
)
"""By language and field; what stands before them all is under the empty field."""


def details_line(added: Mapping[str, str], locale: str) -> str:
    """``Details added: model WM-900, serial number SN1``."""
    labels = LABELS.get(locale) or LABELS[DEFAULT_LOCALE]
    is_english = labels is LABELS[Locale.EN]
    colon, comma = (": ", ", ") if is_english else ("：", "，")
    return labels[""] + colon + comma.join(f"{labels[field]} {value}" for field, value in added.items())
