"""Which of our languages suits somebody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.codes import Locale
from shared.languages import closest, preferred

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("tag", "locale"),
    [
        ("zh-CN", Locale.ZH_CN),
        ("zh", Locale.ZH_CN),
        ("zh-Hans-SG", Locale.ZH_CN),
        ("zh-Hans-HK", Locale.ZH_CN),
        ("zh-TW", Locale.ZH_TW),
        ("zh_hk", Locale.ZH_TW),
        ("zh-Hant", Locale.ZH_TW),
        ("EN-gb", Locale.EN),
        ("fr", None),
        ("", None),
        (None, None),
        ("english", None),
    ],
)
def test_a_tag_is_understood_by_language_script_and_region(tag: str | None, locale: Locale | None) -> None:
    assert closest(tag) is locale


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("en-US,en;q=0.9,zh-CN;q=0.8", Locale.EN),
        ("fr,de;q=0.9,zh-TW;q=0.3", Locale.ZH_TW),
        ("en;q=0.2, zh-HK;q=0.7", Locale.ZH_TW),
        ("zh-CN, zh-TW", Locale.ZH_CN),
        ("en;q=0", None),
        ("*", None),
        ("fr", None),
        ("en;q=much", None),
        (None, None),
    ],
)
def test_the_best_liked_language_of_ours_is_taken(header: str | None, locale: Locale | None) -> None:
    assert preferred(header) is locale


@given(st.text())
def test_no_header_is_too_strange(header: str) -> None:
    assert preferred(header) in {None, *Locale}
