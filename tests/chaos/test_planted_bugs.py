"""Each planted bug is a bug, and the run that must find it uses faults that bring it to light."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest

from services.intake.batcher import Batcher
from shared import dead_letter, protocol
from shared.consumer import batch as consumer_batch
from shared.consumer import positions
from shared.consumer.batch import Batches, Polled
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


class Diary:
    """Stands for a database, and for whatever else is told; keeps the order."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Diary]:
        yield self
        self.entries.append("committed")

    async def execute(self, _: str) -> None:
        await asyncio.sleep(0)  # whoever was answered goes on meanwhile

    def tell(self, what: str) -> Callable[..., Awaitable[None]]:
        async def told(*_: object) -> None:
            self.entries.append(what)

        return told


@pytest.mark.parametrize("is_planted", [False, True])
async def test_intake_answers_after_the_commit_and_the_bug_before(is_planted: bool) -> None:
    if is_planted:
        mutants.answers_before_the_commit()
    diary = Diary()

    async def work(_: object, items: Sequence[int]) -> Sequence[int]:
        return items

    async def call() -> None:
        await batcher.submit(1, 1)
        diary.entries.append("answered")

    batcher: Batcher[int, int] = Batcher(diary, work, committed=lambda: None)  # type: ignore[arg-type]
    await call()
    await batcher.close()

    assert diary.entries == (["answered", "committed"] if is_planted else ["committed", "answered"])


@pytest.mark.parametrize("is_planted", [False, True])
async def test_a_batch_and_its_position_are_one_transaction_and_with_the_bug_two(is_planted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if is_planted:
        mutants.saves_the_position_first()
    diary = Diary()
    admitted = SimpleNamespace(sort=diary.tell("sorted"), ready=["an event"], letters=())
    monkeypatch.setattr(consumer_batch._Admitted, "of", lambda *_: admitted)
    monkeypatch.setattr(consumer_batch, "_traceparent", lambda _: None)
    monkeypatch.setattr(positions, "lock", diary.tell("locked"))
    monkeypatch.setattr(positions, "save", diary.tell("saved"))
    monkeypatch.setattr(dead_letter, "park", diary.tell("parked"))

    batches = Batches(diary, diary.tell("applied"), lambda _: None)  # type: ignore[arg-type]
    await batches.apply(Polled((), {}), {})

    beginning = ["locked", "sorted", "parked", "saved"]
    assert diary.entries == ([*beginning, "committed", "applied", "committed"] if is_planted else [*beginning, "applied", "committed"])
