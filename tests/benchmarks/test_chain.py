"""Which rate the chain carries: the highest one at which neither events nor mails wait longer and longer, found in steps of a tenth."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable

import pytest

from benchmarks import requests
from benchmarks.chain import EACH, MOST_BEHIND, TRIES, Run, is_steady, kept_up, next_rate
from benchmarks.load import NUMBER, Measured
from benchmarks.platform import LOOK, SELDOM, pause

pytestmark = pytest.mark.pure


def tried(first: float, holds: Callable[[float], bool]) -> list[float]:
    """The rates that the search tries when the platform holds those."""
    rates: list[float] = []
    while (rate := next_rate(first, [holds(each) for each in rates])) is not None:
        rates.append(rate)
    return rates


def test_a_first_rate_that_is_too_high_is_lowered_until_one_is_carried() -> None:
    assert tried(1000.0, lambda rate: rate <= 850) == pytest.approx([1000.0, 900.0, 810.0])


def test_a_first_rate_that_is_carried_is_raised_until_one_is_not() -> None:
    assert tried(1000.0, lambda rate: rate <= 1200) == pytest.approx([1000.0, 1000 / 0.9, 1000 / 0.81])


def test_a_first_rate_that_is_just_carried_is_tried_one_step_higher() -> None:
    assert tried(1000.0, lambda rate: rate <= 1000) == pytest.approx([1000.0, 1000 / 0.9])


@pytest.mark.parametrize("holds", [True, False])
def test_the_search_ends(holds: bool) -> None:
    assert len(tried(1000.0, lambda rate: holds)) == TRIES


def test_a_lag_is_steady_when_it_is_short_or_does_not_grow() -> None:
    assert is_steady(0.0, 1_000.0, most=1_000.0)
    assert is_steady(10_000.0, 12_000.0, most=1_000.0)
    assert not is_steady(1_000.0, 3_000.0, most=1_000.0)


def ran(behind: tuple[float, float], *, mails: float = 0.0, kept_up: bool = True) -> Run:
    return Run(100.0, 100.0, {}, {"aftercare.intake": 1.0, "aftercare.tickets": 2.0}, mails, kept_up, behind)


def test_what_is_under_way_may_be_so_many_seconds_of_events_and_mails() -> None:
    events = MOST_BEHIND * 100 * 3

    assert ran((0.0, events)).is_steady
    assert not ran((0.0, events + 1)).is_steady
    assert ran((0.0, events + 1), mails=1.0).is_steady


def test_a_rate_that_callers_did_not_reach_is_not_carried() -> None:
    assert not ran((0.0, 0.0), kept_up=False).is_steady


def measured(*, done: int, sent: int, unanswered: int = 0) -> Measured:
    return Measured(10.0, done, {"accepted": sent - unanswered}, 0, unanswered, sent, 0.0, array("d"))


def test_an_open_loop_keeps_up_when_its_requests_are_accepted_in_time() -> None:
    assert kept_up(measured(done=990, sent=1_000))
    assert not kept_up(measured(done=900, sent=1_000))
    assert not kept_up(measured(done=999, sent=1_000, unanswered=1))


def test_no_known_customer_comes_oftener_than_he_gets_mails() -> None:
    known = 50
    calls = requests.creations("http://127.0.0.1:8001", {}, name="c1", known=known)
    most = 2 * known * EACH

    came = Counter(address(calls[number % len(calls)].replace(NUMBER, f"{number:010d}")) for number in range(most))

    assert max(came.values()) == EACH
    assert len(came) == known + known * EACH


def test_runs_on_one_database_have_customers_of_their_own() -> None:
    one, other = (requests.creations("http://127.0.0.1:8001", {}, name=name, known=5) for name in ("c1", "c2"))

    assert {address(call) for call in one}.isdisjoint({address(call) for call in other})


def address(call: str) -> str:
    email: str = json.loads(call.partition("\r\n\r\n")[2])["customer"]["email"]
    return email


def test_looks_are_seldom_while_much_is_left_and_end_with_it() -> None:
    assert pause(1_000_000) == SELDOM
    assert pause(0) == LOOK
    assert LOOK < pause(10_000) < SELDOM
