"""Cursors: made by us, for this list, with these filters; anything else is refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.pages import CursorRefused, Cursors

pytestmark = pytest.mark.pure

cursors = Cursors("a signing key of the tests, long enough")
FILTERS = {"status": ["open"], "assignee": None, "limit": 50}
positions = st.lists(
    st.one_of(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40), st.integers(0, 2**53)), min_size=1, max_size=3
)


@given(positions)
def test_a_cursor_gives_back_what_it_was_made_of(position: list[str | int]) -> None:
    cursor = cursors.encode(position, FILTERS)

    assert cursors.decode(cursor, FILTERS, length=len(position)) == position
    assert all(character.isalnum() or character in "-_" for character in cursor)


@given(positions, st.data())
def test_a_cursor_in_which_one_character_was_changed_is_refused(position: list[str | int], data: st.DataObject) -> None:
    cursor = cursors.encode(position, FILTERS)
    place = data.draw(st.integers(0, len(cursor) - 2))
    other = data.draw(st.sampled_from([c for c in "Aa0-_." if c != cursor[place]]))

    with pytest.raises(CursorRefused):
        cursors.decode(cursor[:place] + other + cursor[place + 1 :], FILTERS, length=len(position))


@given(st.text(max_size=50))
def test_whatever_is_not_a_cursor_is_refused(text: str) -> None:
    with pytest.raises(CursorRefused):
        cursors.decode(text, FILTERS, length=1)


@pytest.mark.parametrize("filters", [{}, {**FILTERS, "status": ["closed"]}, {**FILTERS, "team": "a"}])
def test_a_cursor_used_with_other_filters_is_refused(filters: dict[str, object]) -> None:
    with pytest.raises(CursorRefused):
        cursors.decode(cursors.encode(["a"], FILTERS), filters, length=1)


def test_a_filter_that_is_not_set_is_no_filter() -> None:
    assert cursors.decode(cursors.encode(["a"], FILTERS), {"status": ["open"], "limit": 50}, length=1) == ["a"]


def test_a_cursor_signed_by_somebody_else_is_refused() -> None:
    with pytest.raises(CursorRefused):
        cursors.decode(Cursors("another signing key, just as long").encode(["a"], FILTERS), FILTERS, length=1)


def test_a_cursor_of_another_length_is_refused() -> None:
    with pytest.raises(CursorRefused):
        cursors.decode(cursors.encode(["a", 1], FILTERS), FILTERS, length=1)


def test_a_cursor_that_was_stretched_is_refused() -> None:
    raw = base64.urlsafe_b64decode(cursors.encode(["a"], FILTERS) + "==")

    with pytest.raises(CursorRefused, match="altered"):
        cursors.decode(base64.urlsafe_b64encode(raw + b" ").decode().rstrip("="), FILTERS, length=1)


def test_the_refusal_names_the_cursor() -> None:
    with pytest.raises(CursorRefused) as refused:
        cursors.decode("nonsense", {}, length=1)
    assert refused.value.errors[0].pointer == "?cursor"
