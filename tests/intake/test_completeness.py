"""How complete a record is, and what to ask for (R037, R038)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.completeness import ASKED, assess
from shared.events.codes import RequestType

pytestmark = pytest.mark.pure

types = st.sampled_from([None, *(t.value for t in RequestType)])
fields = st.sets(st.sampled_from(sorted({field for asked in ASKED.values() for field in asked} | {"something.else"})))


def test_every_type_of_request_says_what_it_asks_for() -> None:
    assert set(ASKED) == {None, *RequestType}


def test_a_repair_asks_for_the_unit_its_purchase_and_the_wish() -> None:
    assert assess("repair", {"text", "customer.name", "customer.phone"}).missing == (
        "product.model",
        "product.serial_number",
        "product.purchase_date",
        "expected_resolution_at",
    )


def test_praise_asks_for_nothing_about_a_product() -> None:
    assert assess("praise", {"text", "customer.name", "customer.phone"}).score == 1


def test_a_type_that_is_not_known_yet_is_asked_for() -> None:
    assert "type" in assess(None, {"text"}).missing
    assert assess("some_new_type", {"text"}) == assess(None, {"text"})


@given(types, fields)
def test_the_score_is_a_share_and_full_exactly_when_nothing_is_missing(request_type: str | None, present: set[str]) -> None:
    found = assess(request_type, present)

    assert 0 <= found.score <= 1
    assert (found.score == 1) == (not found.missing)
    assert not set(found.missing) & present


@given(types, fields, fields)
def test_more_fields_never_lower_the_score(request_type: str | None, present: set[str], more: set[str]) -> None:
    assert assess(request_type, present | more).score >= assess(request_type, present).score
