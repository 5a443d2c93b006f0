"""Each planted bug is a bug, and the run that must find it uses faults that bring it to light."""

from __future__ import annotations

import inspect
from datetime import timedelta
from uuid import UUID

import pytest

from services.intake.batcher import Batcher
from shared import protocol
from shared.consumer.batch import Batches
from shared.protocol import Numbered, Position
from tests.chaos import mutants
from tests.chaos.mutants import MUTANTS, SECONDS
from tests.chaos.reconcile import CHECKS
from tests.chaos.schedule import choose, plan, time_needed

pytestmark = pytest.mark.pure

FOURTH = Numbered(1, 4, UUID(int=4), UUID(int=3))
AT_TWO = Position(1, 2, UUID(int=2))


@pytest.fixture(autouse=True)
def healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test plants is gone after it."""
    for owner, name in (
        *((protocol, name) for name in ("admit", "gap_after", "heartbeat_due")),
        (Batches, "_transaction"),
        (Batcher, "_commit"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))


@pytest.mark.parametrize("name", MUTANTS)
def test_the_run_with_a_bug_has_time_for_its_faults_twice(name: str) -> None:
    mutant = MUTANTS[name]

    assert 2 * time_needed(choose(mutant.faults, 1)) <= SECONDS
    assert {strike.fault for strike in plan(1, SECONDS, mutant.faults, 1)} == set(mutant.faults)


@pytest.mark.parametrize("name", MUTANTS)
def test_the_checks_that_must_find_a_bug_are_among_those_that_are_made(name: str) -> None:
    made = [*CHECKS, "the platform came to rest"]

    assert all(any(check.startswith(prefix) for check in made) for prefix in MUTANTS[name].betrayed_by)


def test_a_consumer_that_admits_any_higher_number_passes_over_a_gap() -> None:
    assert protocol.admit(AT_TWO, [FOURTH]).accepted == ()

    mutants.admits_any_higher_number()

    assert protocol.admit(AT_TWO, [FOURTH]).position.last_seq == 4


def test_a_consumer_that_forgets_the_gap_asks_for_nothing() -> None:
    admission = protocol.admit(AT_TWO, [FOURTH])
    assert protocol.expected_number(AT_TWO, protocol.gap_after(None, admission, [FOURTH])) == 3

    mutants.forgets_the_gap()

    assert protocol.expected_number(AT_TWO, protocol.gap_after(None, admission, [FOURTH])) is None


def test_a_relay_that_never_beats_is_silent_though_a_consumer_lags() -> None:
    lagging = {"cursor": 4, "head": 4, "floor": 0, "known": [2], "quiet_for": timedelta(minutes=1)}
    assert protocol.heartbeat_due(**lagging)  # type: ignore[arg-type]

    mutants.never_beats()

    assert not protocol.heartbeat_due(**lagging)  # type: ignore[arg-type]


def test_orders_of_work_are_turned_round() -> None:
    for owner, name, plant in (
        (Batches, "_transaction", mutants.saves_the_position_first),
        (Batcher, "_commit", mutants.answers_before_the_commit),
    ):
        right = getattr(owner, name)

        plant()

        planted = getattr(owner, name)
        assert planted is not right
        assert list(inspect.signature(planted).parameters) == list(inspect.signature(right).parameters)
