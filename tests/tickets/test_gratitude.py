"""Thanks are thanks only when nothing else is said."""

from __future__ import annotations

import pytest

from services.tickets.workflow.gratitude import is_only_thanks

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    "text",
    [
        "谢谢", "谢谢！", "感谢您的帮助", "好的，谢谢你们", "非常感谢🙏", "多謝", "謝謝您", "好的，辛苦了", "收到，谢谢啦~",
        "Thank you!", "thanks a lot", "OK, thanks", "Great, thank you very much for your help.", "THX :-)", "Many thanks",
    ],
)  # fmt: skip
def test_words_of_thanks_alone(text: str) -> None:
    assert is_only_thanks(text)


@pytest.mark.parametrize(
    "text",
    [
        "谢谢，但是还是坏的", "谢谢，请再检查一下", "不用谢谢了，退款", "谢谢？", "好的", "收到", "OK", "", "   ", "🙏",
        "Thanks, but it broke again", "thanks for nothing", "No thanks, refund me", "Thank you. When will it arrive?",
        "thanks 13800000000", "谢谢 " * 60,
    ],
)  # fmt: skip
def test_whatever_says_more_or_says_no_thanks(text: str) -> None:
    assert not is_only_thanks(text)
