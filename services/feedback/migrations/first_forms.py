"""The forms of the first releases, as their rows are written. Frozen: another wording is another version, by REST or a migration."""

from __future__ import annotations

from typing import Any, Final

Definition = dict[str, Any]


def _texts(zh_cn: str, zh_tw: str, en: str) -> dict[str, str]:
    return {"zh-CN": zh_cn, "zh-TW": zh_tw, "en": en}


_SATISFACTION: Final = [
    {"value": 1, "texts": _texts("非常不满意", "非常不滿意", "Very dissatisfied")},
    {"value": 2, "texts": _texts("不满意", "不滿意", "Dissatisfied")},
    {"value": 3, "texts": _texts("一般", "普通", "Neutral")},
    {"value": 4, "texts": _texts("满意", "滿意", "Satisfied")},
    {"value": 5, "texts": _texts("非常满意", "非常滿意", "Very satisfied")},
]
_ASPECTS: Final = _texts("您对以下各方面满意吗？", "您對以下各方面滿意嗎？", "How satisfied are you with each of these?")


def _rating(id_: str, zh_cn: str, zh_tw: str, en: str, **more: Any) -> Definition:
    return {"id": id_, "type": "rating", "texts": _texts(zh_cn, zh_tw, en), "options": _SATISFACTION, **more}


def _aspect(id_: str, zh_cn: str, zh_tw: str, en: str, **more: Any) -> Definition:
    return _rating(id_, zh_cn, zh_tw, en, not_applicable=True, **more)


_OVERALL: Final = _rating(
    "Q0",
    "您对本次服务整体满意吗？",
    "您對本次服務整體滿意嗎？",
    "Overall, how satisfied are you with this service?",
    required=True,
)
_RELATIONSHIP_OVERALL: Final = _rating(
    "Q0",
    "总体而言，您对我们的服务满意吗？",
    "整體而言，您對我們的服務滿意嗎？",
    "Overall, how satisfied are you with our service?",
    required=True,
)
_SOLVED: Final[Definition] = {
    "id": "Y1",
    "type": "choice",
    "texts": _texts("您的问题解决了吗？", "您的問題解決了嗎？", "Has your problem been solved?"),
    "options": [
        {"value": "yes", "texts": _texts("是", "是", "Yes")},
        {"value": "partly", "texts": _texts("部分", "部分", "Partly")},
        {"value": "no", "texts": _texts("否", "否", "No")},
    ],
}
_RECOMMEND: Final[Definition] = {
    "id": "N1",
    "type": "scale",
    "texts": _texts("您有多大可能向朋友推荐我们？", "您有多大可能向朋友推薦我們？", "How likely are you to recommend us to a friend?"),
    "scale": {
        "low": 0,
        "high": 10,
        "low_texts": _texts("完全不可能", "完全不可能", "Not at all likely"),
        "high_texts": _texts("非常可能", "非常可能", "Extremely likely"),
    },
}
_COMMENT: Final[Definition] = {
    "id": "O1",
    "type": "text",
    "texts": _texts("还有哪些需要改进的地方？", "還有哪些需要改進的地方？", "What should we improve?"),
}

T1_1: Final[Definition] = {"blocks": [{"items": [_OVERALL]}, {"items": [_SOLVED, _RECOMMEND]}, {"items": [_COMMENT]}]}
"""What the very first invitations asked; kept for them."""

T1_2: Final[Definition] = {
    "blocks": [
        {"items": [_OVERALL]},
        {
            "lead": _ASPECTS,
            "shuffled": True,
            "items": [
                _aspect("Q1", "服务响应速度", "服務回應速度", "Speed of our response"),
                _aspect("Q2", "问题解决效果", "問題解決效果", "How well your problem was solved"),
                _aspect("Q3", "服务人员的专业水平", "服務人員的專業程度", "Professional knowledge of our staff"),
                _aspect("Q4", "服务流程是否方便", "服務流程是否方便", "Convenience of the process"),
                _aspect("Q5", "是否满足您的个性化需求", "是否符合您的個別需求", "How well your personal needs were met", asked_of="second"),
                _aspect("Q6", "服务人员态度", "服務人員態度", "Attitude of our staff"),
            ],
        },
        {"items": [_SOLVED, {**_RECOMMEND, "asked_of": "first"}]},
        {"items": [_COMMENT]},
    ]
}
"""After a resolution: eight items for everybody, and N1 for one half, Q5 for the other."""

S1_1: Final[Definition] = {"blocks": [{"items": [{**_SOLVED, "required": True}]}]}
"""The one question after a complaint."""

T2_1: Final[Definition] = {
    "blocks": [
        {"items": [_RELATIONSHIP_OVERALL]},
        {"items": [_RECOMMEND]},
        {
            "lead": _ASPECTS,
            "shuffled": True,
            "items": [
                _aspect("Q3", "服务人员的专业水平", "服務人員的專業程度", "Professional knowledge of our staff"),
                _aspect("Q4", "服务流程是否方便", "服務流程是否方便", "Convenience of the process"),
                _aspect("P1", "产品质量", "產品品質", "Product quality"),
                _aspect("P2", "价格合理透明", "價格合理透明", "Fair, transparent price"),
                _aspect("P3", "品牌信任", "品牌信任", "Trust in the brand"),
                _aspect("P4", "与预期相比", "與預期相比", "Compared with what you expected"),
            ],
        },
        {"items": [_COMMENT]},
    ]
}
"""How the customer sees us as a whole."""

FIRST: Final = (("T1", 1, False, T1_1), ("T1", 2, True, T1_2), ("T2", 1, True, T2_1), ("S1", 1, True, S1_1))
"""Type, version, whether it is active, definition."""
