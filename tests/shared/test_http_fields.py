"""Fields that outsiders fill in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, StringConstraints, TypeAdapter, ValidationError

from shared import http
from shared.http import fields

pytestmark = pytest.mark.pure

text, line, instant, day, integer, code = (
    TypeAdapter(kind) for kind in (http.Text, http.Line, http.Instant, http.Day, http.Integer, http.Code)
)

TRIMMED = StringConstraints(strip_whitespace=True, min_length=1)
plain_text = TypeAdapter[Any](Annotated[str, TRIMMED, AfterValidator(fields._not_blank), http.Storable])
plain_line = TypeAdapter[Any](Annotated[str, TRIMMED, http.Storable, AfterValidator(fields._one_line)])
"""The same with each rule looked at, whatever the text."""


def refused(adapter: TypeAdapter[Any], value: object) -> str:
    with pytest.raises(ValidationError) as error:
        adapter.validate_python(value)
    return str(error.value.errors()[0]["type"])


def test_a_text_is_trimmed_and_keeps_its_lines() -> None:
    assert text.validate_python("  one\n two\t \n") == "one\n two"


@pytest.mark.parametrize("value", ["", " \n\u3000", "\x1f", None, 5, ["x"]])
def test_a_text_has_something_in_it(value: object) -> None:
    assert refused(text, value)


def test_a_text_ends_at_its_limit() -> None:
    assert len(text.validate_python("😀" * 20_000)) == 20_000
    assert refused(text, "x" * 20_001) == "string_too_long"


def test_what_postgresql_cannot_store_is_refused() -> None:
    assert refused(text, "a\0b") == "nul_character"
    assert refused(text, "a\udc80b") in {"lone_surrogate", "string_unicode"}
    assert refused(line, "a\0b") == "nul_character"


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\x1bb", "a\u2028b", "a\x85b"])
def test_a_line_is_one_line(value: str) -> None:
    assert refused(line, value) == "control_character"


@given(st.text(max_size=40) | st.text("ab \n\u3000\x1f\0\u2028", max_size=6))
def test_a_text_that_can_be_printed_is_judged_as_any_other(value: str) -> None:
    def judged(adapter: TypeAdapter[Any]) -> object:
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            return [found["type"] for found in error.errors()]

    assert judged(text) == judged(plain_text)
    assert judged(line) == judged(plain_line)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300))
def test_a_text_that_is_accepted_can_be_stored(value: str) -> None:
    try:
        accepted = text.validate_python(value)
    except ValidationError:
        return
    assert "\0" not in accepted
    assert accepted.strip()
    assert accepted.encode()


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-25T10:00:00",
        "2026-11-25",
        "2026-11-25T10:00:00+0800",
        "0001-01-01T00:00:00Z",
        "1899-12-31T23:59:59Z",
        "9999-12-31T23:59:59-12:00",
        "2201-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-25T25:00:00Z",
        "2026-11-25T10:00:00+99:00",
        "1764064800",
        1764064800,
        1764064800.5,
        "",
        None,
        True,
        datetime(2026, 11, 25),  # noqa: DTZ001
        "２０２６-11-25T10:00:00Z",
    ],
)
def test_a_moment_without_a_zone_or_in_a_year_that_nobody_means_is_refused(value: object) -> None:
    assert refused(instant, value)


def test_a_moment_is_kept_in_utc() -> None:
    assert instant.validate_python("2026-11-25T10:00:00.5+08:00") == datetime(2026, 11, 25, 2, 0, 0, 500_000, UTC)
    assert instant.validate_python("2026-11-25 10:00Z").tzinfo is UTC


@given(st.datetimes(), st.integers(-840, 840))
def test_every_moment_in_range_is_accepted_and_stays_the_same_moment(value: datetime, minutes: int) -> None:
    moment = value.replace(year=1900 + value.year % 301, day=min(value.day, 28), tzinfo=timezone(timedelta(minutes=minutes)))

    assert instant.validate_python(moment.isoformat()) == moment


def test_a_day_is_a_day() -> None:
    assert day.validate_python("2026-11-25") == date(2026, 11, 25)
    for value in ("2026-11-25T00:00:00", 20261125, "26-11-25", "0001-01-01", "2026-02-29", datetime(2026, 1, 1, tzinfo=UTC)):
        assert refused(day, value)


@pytest.mark.parametrize("value", ["5", True, 1.5, 2**53 + 1, -(2**60), float("nan"), None])
def test_a_number_is_a_number_that_every_client_can_hold(value: object) -> None:
    assert refused(integer, value)


@pytest.mark.parametrize("value", ["", "a b", "a/b", "-a", "ä", "x" * 101, "a\n"])
def test_a_code_is_a_word_for_programs(value: str) -> None:
    assert refused(code, value)


def test_a_misspelt_field_is_not_lost_in_silence() -> None:
    class Body(http.RequestModel):
        text: http.Text

    with pytest.raises(ValidationError, match="txet"):
        Body.model_validate({"text": "x", "txet": "y"})


def test_a_refused_value_is_not_in_the_errors_text() -> None:
    class Body(http.RequestModel):
        at: http.Instant

    with pytest.raises(ValidationError) as error:
        Body.model_validate({"at": "13800138000"})
    assert "13800138000" not in str(error.value)
