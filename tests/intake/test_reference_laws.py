"""Laws of the service number: unique, unguessable in order, and typing errors are found."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.intake import reference
from services.intake.reference import ALPHABET, NUMBERS, NotAReference, Reference, issue, number_at, parse, permute, unpermute

pytestmark = pytest.mark.pure

KEY = bytes(range(32))
numbers = st.integers(0, NUMBERS - 1)
keys = st.binary(min_size=32, max_size=32)
days = st.dates(date(2020, 1, 1), date(2099, 12, 31))
references = st.builds(issue, days, numbers, st.just(KEY))
BODY = slice(3, None)
"""The characters of a reference behind ``AS-``."""


@given(numbers, keys)
def test_the_permutation_has_an_inverse_so_no_two_numbers_share_a_reference(number: int, key: bytes) -> None:
    assert unpermute(permute(number, key), key) == number
    assert permute(unpermute(number, key), key) == number
    assert 0 <= permute(number, key) < NUMBERS


def test_many_requests_of_one_day_have_as_many_references() -> None:
    issued = {issue(date(2026, 11, 25), number, KEY) for number in range(20_000)}

    assert len(issued) == 20_000


@given(st.integers(0, 2**32), st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "UTC"]), st.integers(0, 2**40))
def test_a_number_is_made_from_the_second_and_the_count(timestamp: int, zone: str, count: int) -> None:
    received_at, later = (datetime.fromtimestamp(timestamp + seconds, ZoneInfo(zone)) for seconds in (0, 1))

    number = number_at(received_at, count)

    assert 0 <= number < NUMBERS
    assert number == number_at(received_at, count % 8192)
    assert number != number_at(received_at, count + 1)
    assert (received_at.date(), number) != (later.date(), number_at(later, count))


def test_a_counter_that_was_set_back_gives_no_reference_twice() -> None:
    moments = [datetime(2026, 11, 25, 10, 0, second, tzinfo=ZoneInfo("Asia/Shanghai")) for second in range(60)]

    issued = [issue(moment.date(), number_at(moment, count), KEY) for moment in moments for count in range(100)]

    assert len(set(issued)) == len(issued)


@given(numbers, keys, keys)
def test_another_key_gives_another_order(number: int, one: bytes, other: bytes) -> None:
    assume(one != other)

    assert [permute((number + i) % NUMBERS, one) for i in range(4)] != [permute((number + i) % NUMBERS, other) for i in range(4)]


def test_neighbours_are_far_apart() -> None:
    steps = [abs(permute(n + 1, KEY) - permute(n, KEY)) for n in range(2_000)]

    assert sorted(steps)[len(steps) // 2] > NUMBERS // 8
    assert min(steps) > 1


@given(days, numbers)
def test_a_reference_is_read_as_it_was_written(day: date, number: int) -> None:
    text = issue(day, number, KEY)

    assert str(parse(text)) == text
    assert text.startswith(f"AS-{day:%Y%m%d}")
    assert len(text) == len("AS-") + 8 + 7


@given(references, st.integers(0, 14), st.sampled_from(ALPHABET))
def test_any_single_wrong_character_is_found(text: str, position: int, wrong: str) -> None:
    body = text[BODY]
    assume(body[position] != wrong)

    with pytest.raises(NotAReference):
        parse(f"AS-{body[:position]}{wrong}{body[position + 1 :]}")


@given(references, st.integers(0, 14), st.integers(0, 14))
def test_any_exchange_of_two_characters_is_found(text: str, one: int, other: int) -> None:
    body = list(text[BODY])
    assume(body[one] != body[other])
    body[one], body[other] = body[other], body[one]

    with pytest.raises(NotAReference):
        parse("AS-" + "".join(body))


def test_the_weights_of_the_check_are_distinct() -> None:
    """What the two laws above rest on: 31 powers, all different, none zero."""
    assert len(set(reference._EXP)) == 31
    assert 0 not in reference._EXP


@given(references, st.data())
def test_lower_case_and_lookalikes_are_read_as_meant(text: str, data: st.DataObject) -> None:
    typed = "".join(data.draw(st.sampled_from({"0": "0Oo", "1": "1IiLl"}.get(c, c + c.lower()))) for c in text[BODY])
    gap = data.draw(st.sampled_from(["", "-", " "]))

    assert str(parse(f" as-{typed[:8]}{gap}{typed[8:]}\n")) == text


@given(references, st.integers(1, 9_999))
def test_a_linked_number_names_the_reference_it_continues(text: str, link: int) -> None:
    assert parse(f"{text}-{link}") == Reference(text, link)
    assert str(parse(f"{text}-{link}")) == f"{text}-{link}"


@pytest.mark.parametrize(
    "text", ["", "AS-", "AS-20261125", "XX-20261125EEA182H", "AS-20261125EEA182HH", "AS-20261125EEA182H-0", "AS-20261125EEA182H-x", "你好"]
)
def test_other_texts_are_no_references(text: str) -> None:
    with pytest.raises(NotAReference):
        parse(text)


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        parse(text)
    except NotAReference:
        return
    assert text.strip().upper().startswith("AS")


def test_a_date_that_does_not_exist_is_refused() -> None:
    with pytest.raises(NotAReference):
        parse("AS-20260230EEA182H")


@given(st.integers().filter(lambda n: not 0 <= n < NUMBERS))
def test_a_number_of_more_than_thirty_bits_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="30 bits"):
        permute(number, KEY)
