"""Bugs planted into the processes that a run starts. A harness that cannot find them would prove nothing.

    python -m tests.chaos.mutants NAME -m services.tickets consume     patch this process, then become the service
    python -m tests.chaos.mutants --all [--json FILE]                  a run with each of them, which must fail within five minutes

They are rules of `shared/protocol.py` broken as in `tests/shared/simulation/mutants.py`, and the two orders of work that every system like
this must keep: effects before the position, COMMIT before the answer.

Bugs that the platform survives are not among them; the simulation, which looks at every step, finds those. What breaks in the relay alone
(a cursor that moves before the acknowledgement, or jumps to the broker's tail) is repaired by the tail check of the next start and by the
consumers' gap reports. A consumer that admits repeats does no harm that shows, because the handlers know what they have applied.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared import dead_letter, protocol
from shared.consumer import batch as consumer_batch
from shared.consumer import positions
from shared.database import Transaction
from shared.protocol import Admission, Gap, Numbered, Position
from tests.chaos.wrapping import become

SECONDS: Final = 45.0
"""How long the load of a run with a bug lasts."""
RATE: Final = 20.0
"""Requests a second."""
PATIENCE: Final = 60.0
"""Seconds for work in hand, and again for coming to rest: a platform that never rests must be found out within five minutes."""
SERVICES: Final = ("intake", "tickets", "feedback", "metrics")


def admits_any_higher_number() -> None:
    """``>=`` for ``==``: a consumer passes over what is missing."""

    def admit(position: Position, records: Sequence[Numbered]) -> Admission:
        accepted = []
        for index, record in enumerate(records):
            if record.seq >= position.last_seq + 1:
                accepted.append(index)
                position = Position(record.epoch, record.seq, record.event_id)
        return Admission(position, tuple(accepted), len(records) - len(accepted), 0, None, False, None)

    _plant(protocol, "admit", admit)


def forgets_the_gap() -> None:
    """A consumer does not remember that it saw a higher number, so it never asks for what is missing."""

    def gap_after(gap: Gap | None, admission: Admission, records: Sequence[Numbered]) -> None:
        return None

    _plant(protocol, "gap_after", gap_after)


def never_beats() -> None:
    """No heartbeat: a loss at the end of a log that goes quiet is not shown to anybody."""
    _plant(protocol, "heartbeat_due", lambda **_: False)


def saves_the_position_first() -> None:
    """The consumer commits that it has applied a batch, and then applies it."""

    async def transaction(self: Any, polled: Any, logs: Any, error: Exception | None) -> None:
        async with self._database.transaction() as tx:
            stands = await positions.lock(tx, polled.next_offs)
            if any(stands[log].next_off != logs[log].next_off for log in polled.next_offs):
                raise consumer_batch.PositionMoved
            admitted = consumer_batch._Admitted.of(polled, stands)
            await admitted.sort(tx, error)
            results = [admitted.result(log, logs[log].breaker) for log in polled.next_offs]
            await dead_letter.park(tx, admitted.letters)
            await positions.save(tx, {result.log: consumer_batch._stand(result) for result in results})
        for result in results:
            self._committed(result)
        if admitted.ready:
            async with self._database.transaction() as tx:
                await self._handle(tx, admitted.ready)

    _plant(consumer_batch.Batches, "_transaction", transaction)


def answers_before_the_commit() -> None:
    """Intake says 202 when it has written, not when it has committed."""
    from services.intake import batcher

    async def commit(self: Any, batch: Sequence[Any]) -> None:
        async with self._database.transaction() as tx:
            results = await self._work(tx, [waiting.item for waiting in batch])
            for waiting, result in zip(batch, results, strict=True):
                if not waiting.future.done():
                    waiting.future.set_result(result)
            await _a_moment(tx)
        self._committed()

    _plant(batcher.Batcher, "_commit", commit)


async def _a_moment(tx: Transaction) -> None:
    """As long as a COMMIT takes on a busy disk; the answers leave meanwhile."""
    await tx.execute("SELECT pg_sleep(0.05)")


def _plant(owner: Any, name: str, bug: Callable[..., Any]) -> None:
    if not callable(getattr(owner, name)):
        raise TypeError(f"{owner.__name__}.{name} is no function")
    setattr(owner, name, bug)


@dataclass(frozen=True)
class Mutant:
    """A bug, and the run that brings it to light."""

    plant: Callable[[], None]
    faults: tuple[str, ...]
    """In which situations it does harm."""
    betrayed_by: tuple[str, ...]
    """How the names of the checks begin that must find it: another difference may have another reason."""
    services: tuple[str, ...] = SERVICES
    rate: float = RATE

    @property
    def about(self) -> str:
        """What is wrong."""
        return (self.plant.__doc__ or "").strip()


APPLIED: Final = ("each reference answers", "each event had its effect", "applied + parked", "each message is on its ticket")
NOT_AT_REST: Final = ("the platform came to rest", "every consumer stands at the head")

MUTANTS: Final[Mapping[str, Mutant]] = {
    "admits-any-higher-number": Mutant(admits_any_higher_number, ("records-reordered", "hole-in-topic"), APPLIED),
    "forgets-the-gap": Mutant(forgets_the_gap, ("hole-in-topic",), NOT_AT_REST),
    "never-beats": Mutant(never_beats, ("hole-in-topic",), NOT_AT_REST, rate=1),  # so little that logs fall silent
    "saves-the-position-first": Mutant(saves_the_position_first, ("hot-row-locked", "connections-killed", "kill-consumer"), APPLIED),
    "answers-before-the-commit": Mutant(
        answers_before_the_commit, ("connections-killed", "postgres-crash", "kill-api"), ("lost:",), services=("intake",)
    ),
}


def wrapper(name: str) -> dict[str, tuple[str, ...]]:
    """Per service, what stands before `-m services.<name>`. KeyError where no mutant has that name."""
    return dict.fromkeys(MUTANTS[name].services, ("-m", "tests.chaos.mutants", name))


def main(arguments: Sequence[str]) -> int:
    """Plant one and become the service; or judge the harness."""
    if arguments[:1] == ["--all"]:
        from tests.chaos import judging

        return judging.main(arguments[1:])
    if not arguments or arguments[0] not in MUTANTS:
        sys.exit(f"usage: python -m tests.chaos.mutants --all | NAME -m MODULE ...\nNAME is one of {', '.join(MUTANTS)}")
    MUTANTS[arguments[0]].plant()
    become(arguments[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
