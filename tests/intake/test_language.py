"""The language of a text, by its script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.language import choose_locale, guess_locale
from shared.events.codes import Locale

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("洗衣机不转了，怎么办？", Locale.ZH_CN),
        ("洗衣機不轉了，怎麼辦？", Locale.ZH_TW),
        ("請問這個商品何時到貨", Locale.ZH_TW),
        ("请问这个商品何时到货", Locale.ZH_CN),
        ("My washing machine does not spin.", Locale.EN),
        ("iPhone 15 Pro Max 屏幕坏了，怎么修", Locale.ZH_CN),
        ("The manual says 注意, what does it mean for my machine?", Locale.EN),
        ("这个坏了，听不见声音", Locale.ZH_CN),
        ("於是我們聽不見聲音", Locale.ZH_TW),
        ("Ma machine à laver ne tourne plus", Locale.EN),
    ],
)
def test_the_script_tells_the_language(text: str, locale: Locale) -> None:
    assert guess_locale(text) is locale


@pytest.mark.parametrize("text", ["", "你好", "12345", "🙏🙏", "！？"])
def test_a_text_without_evidence_tells_nothing(text: str) -> None:
    assert guess_locale(text) is None


@given(st.text())
def test_every_text_has_at_most_one_language(text: str) -> None:
    assert guess_locale(text) in {None, *Locale}


@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_a_text_in_ascii_is_looked_at_as_any_other(text: str) -> None:
    assert guess_locale(text) == guess_locale(f"{text}…")


def test_what_the_customer_asked_for_goes_before_what_he_writes_and_that_before_what_is_known() -> None:
    assert choose_locale("en", "zh-TW", "zh-CN") == "en"
    assert choose_locale(None, "zh-TW", "en") == "zh-TW"
    assert choose_locale(None, None, "en") == "en"
    assert choose_locale(None, None, None) == "zh-CN"
