"""The simulation has teeth: each rule of `shared/protocol.py`, once broken, makes it fail."""

from __future__ import annotations

from typing import Final

import pytest

from shared import protocol
from tests.shared.simulation import schedule
from tests.shared.simulation.mutants import MUTANTS, Mutant
from tests.shared.simulation.world import Rules

pytestmark = pytest.mark.pure

BOUND: Final = 1200
"""Schedules within which a random run must fail: fewer than `test_simulation` plays."""

RANDOM: Final = [mutant for mutant in MUTANTS if mutant.scenario is None]
DIRECTED: Final = [mutant for mutant in MUTANTS if mutant.scenario is not None]


def name_of(mutant: Mutant) -> str:
    """For the test report."""
    return mutant.mutated.__name__


@pytest.mark.parametrize("mutant", RANDOM, ids=name_of)
def test_a_random_schedule_fails_when_the_protocol(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, mutant.function, mutant.mutated)

    with pytest.raises(schedule.Failure):
        schedule.run_all(range(BOUND))


@pytest.mark.parametrize("mutant", DIRECTED, ids=name_of)
def test_a_known_trace_goes_wrong_when_the_protocol(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mutant.scenario is not None
    mutant.scenario(Rules())

    monkeypatch.setattr(protocol, mutant.function, mutant.mutated)

    with pytest.raises(AssertionError):
        mutant.scenario(Rules())
