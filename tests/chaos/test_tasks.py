"""Whoever plays a part in a run is missed when he fails."""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos.ledger import Ledger
from tests.chaos.reconcile import Check
from tests.chaos.run import Options, Outcome, examine
from tests.chaos.tasks import Tasks, ended

pytestmark = pytest.mark.pure


async def fail() -> None:
    raise RuntimeError("nobody expected this")


async def wait() -> None:
    await asyncio.Event().wait()


async def test_an_error_of_the_harness_is_a_difference() -> None:
    ledger = Ledger()
    tasks = Tasks(ledger)

    tasks.start(fail())
    await tasks.finish()

    assert ledger.wrong == ["the harness itself failed: RuntimeError('nobody expected this')"]
    assert not len(tasks)


async def test_what_goes_on_until_it_is_cancelled_ends_in_silence() -> None:
    await ended(asyncio.ensure_future(wait()))


async def test_what_failed_before_it_was_cancelled_says_so() -> None:
    task = asyncio.ensure_future(fail())
    await asyncio.wait([task])

    with pytest.raises(RuntimeError, match="nobody expected this"):
        await ended(task)


def test_a_platform_that_accepts_nothing_has_not_passed() -> None:
    outcome = Outcome(Options(), quiet_after=1.0, checks=[Check("any", [])])

    assert not outcome.differences
    assert not outcome.passed


def test_who_is_not_answered_is_a_difference() -> None:
    ledger = Ledger()

    ledger.give_up("entry 1")

    assert ledger.wrong == ["entry 1 was not answered, however often it was sent"]


def test_a_fault_that_was_asked_for_must_strike() -> None:
    (asked,) = examine(Outcome(Options(faults=("kill-api",))))

    assert asked.differences == ["kill-api never struck"]
