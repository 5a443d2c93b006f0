"""Words are cut the same when stored and when asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tickets import search

pytestmark = pytest.mark.pure


def test_a_run_of_chinese_becomes_characters_and_pairs() -> None:
    assert search.words("洗衣机 WM-8000") == ["洗", "衣", "机", "洗衣", "衣机", "wm", "8000"]


def test_width_and_case_do_not_matter() -> None:
    assert search.words("ＷＭ８０００ Straße") == search.words("wm8000 STRASSE")


def test_the_last_word_asked_for_is_a_beginning() -> None:
    assert search.query("loud frid") == "'loud' & 'frid':*"
    assert search.query("洗衣机") == "'洗衣' & '衣机':*"


def test_marks_alone_ask_for_nothing() -> None:
    assert search.query("?! :*&|") == ""


@given(st.text(st.characters(codec="ascii"), max_size=200) | st.text("ab 1_", max_size=500))
def test_a_text_of_plain_letters_is_cut_like_any_other(text: str) -> None:
    assert search.words(text) == search._words(text)


@given(st.text(max_size=200))
def test_no_text_breaks_out_of_its_quotes(text: str) -> None:
    terms = search.query(text).removesuffix(":*").split(" & ")

    assert all(term == "" or (term[0] == term[-1] == "'" and not set(term[1:-1]) & set("'\\ &|!():*<>\0")) for term in terms)


@given(st.text(max_size=100))
def test_a_text_holds_every_word_that_its_own_query_asks_for(text: str) -> None:
    stored = set(search.words(text))
    terms = [term.removesuffix(":*").strip("'") for term in search.query(text).split(" & ") if term]

    assert set(terms) <= stored or len(stored) == search.MAX_WORDS
