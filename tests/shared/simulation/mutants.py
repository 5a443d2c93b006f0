"""Protocol functions with one rule broken each. A simulation that cannot tell them from the real ones would prove nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from shared import protocol
from shared.protocol import Admission, BrokenChain, Gap, HistoryMismatch, Nack, Numbered, OutboxHole, Position, Report, ResumePlan, Tail
from tests.shared.simulation import scenarios
from tests.shared.simulation.world import Rules


def admits_any_higher_number(position: Position, records: Sequence[Numbered]) -> Admission:
    """``>=`` for ``==``: what is missing is passed over."""
    accepted = []
    for index, record in enumerate(records):
        if record.seq >= position.last_seq + 1:
            accepted.append(index)
            position = Position(record.epoch, record.seq, record.event_id)
    return Admission(position, tuple(accepted), len(records) - len(accepted), 0, None, False, None)


def admits_repeats(position: Position, records: Sequence[Numbered]) -> Admission:
    """``<=`` for ``==``: a repeat has its effect again."""
    admission = protocol_admit(position, records)
    repeats = [index for index, record in enumerate(records) if record.seq <= position.last_seq]
    return replace(admission, accepted=tuple(sorted({*admission.accepted, *repeats})))


def advances_before_the_acknowledgement(cursor: int, last_sent: int, *, acknowledged: bool) -> int:
    """The cursor moves with the send, whatever the broker says."""
    return last_sent


def jumps_forward_to_the_tail(cursor: int, head: int, tail: Tail, own_id: UUID | None) -> int | HistoryMismatch:
    """The cursor becomes the tail, though that may be the end of a log with a hole."""
    checked = protocol_check_tail(cursor, head, tail, own_id)
    return checked if isinstance(checked, HistoryMismatch) or tail.seq is None else tail.seq


def ignores_another_history(cursor: int, head: int, tail: Tail, own_id: UUID | None) -> int:
    """The tail's number and id are not compared with ours."""
    checked = protocol_check_tail(cursor, head, tail, own_id)
    return cursor if isinstance(checked, HistoryMismatch) else checked


def forgets_the_gap(gap: Gap | None, admission: Admission, records: Sequence[Numbered]) -> None:
    """Nobody remembers what was seen ahead, so nobody asks for what is missing."""


def never_beats(**_: Any) -> bool:
    """No heartbeat."""
    return False


def beats_for_whoever_lags(*, cursor: int, head: int, floor: int, known: Iterable[int], quiet_for: timedelta, **_: Any) -> bool:
    """The heartbeat does not look at the floor."""
    return quiet_for >= protocol.QUIET and 0 < head == cursor and any(seq < head for seq in known)


def keeps_the_highest(known: Report | None, report: Report) -> Report:
    """The highest number wins, not the newest stamp."""
    return report if known is None or report.last_seq >= known.last_seq else known


def rewinds_below_the_floor(cursor: int, floor: int, nack: Nack) -> int:
    """A nack for rows that are gone moves the cursor."""
    fresh = nack.age <= protocol.NACK_LIFE and (nack.since_same is None or nack.since_same >= protocol.NACK_PAUSE)
    return min(cursor, max(floor, nack.expected - 1)) if fresh else cursor


def reads_from_below_the_floor(cursor: int, floor: int) -> int:
    """The floor does not count when rows are read."""
    return cursor


def sends_over_a_hole(after: int, seqs: Sequence[int], head: int = 0) -> int | OutboxHole:
    """Whatever rows are found are sent."""
    return len(seqs)


def checks_no_chain(position: Position, record: Numbered) -> BrokenChain | None:
    """Ids and predecessors are not compared."""
    return None


def believes_every_consumer(known: Iterable[tuple[int, UUID | None]], head: int, head_id: UUID | None) -> HistoryMismatch | None:
    """What consumers have applied is not compared with the head."""
    return None


def drops_days_that_somebody_lacks(day_last_seq: int, known: Sequence[int], *, all_heard: bool, holds_head: bool) -> bool:
    """One consumer that has the rows is enough."""
    return any(day_last_seq <= seq for seq in known)


def reports_only_changes(*, since_report: timedelta | None, changed: bool, asked: bool, gap: bool) -> bool:
    """A position that did not change is not repeated, so a lost report stays lost."""
    return asked or changed or since_report is None or gap


def resumes_at_the_restored_head(
    cursor: int, rows: Sequence[Numbered], broker: Mapping[int, Numbered], applied: Mapping[int, UUID | None], head: int
) -> ResumePlan:
    """Rows keep their numbers, whatever the broker and the consumers hold under them."""
    placed = tuple(protocol.Placed(row.seq, row.event_id, row.event_id) for row in rows)
    return ResumePlan(placed, head, ())


protocol_admit = protocol.admit
protocol_check_tail = protocol.check_tail


@dataclass(frozen=True)
class Mutant:
    """A function of `shared/protocol.py` and what stands in its place.

    Several rules guard against a restored database; without one of them a random run is still saved by another, so for those the
    trace is named in which it is the only guard.
    """

    function: str
    mutated: Callable[..., Any]
    scenario: Callable[[Rules], None] | None = None


MUTANTS: Final = (
    Mutant("admit", admits_any_higher_number),
    Mutant("admit", admits_repeats),
    Mutant("advance", advances_before_the_acknowledgement),
    Mutant("check_tail", jumps_forward_to_the_tail),
    Mutant("gap_after", forgets_the_gap),
    Mutant("heartbeat_due", never_beats),
    Mutant("heartbeat_due", beats_for_whoever_lags),
    Mutant("newest", keeps_the_highest),
    Mutant("rewind", rewinds_below_the_floor),
    Mutant("read_after", reads_from_below_the_floor),
    Mutant("report_due", reports_only_changes),
    Mutant("plan_resume", resumes_at_the_restored_head),
    Mutant("droppable", drops_days_that_somebody_lacks, scenarios.slow_consumer),
    Mutant("sendable", sends_over_a_hole, scenarios.row_deleted_by_hand),
    Mutant("check_tail", ignores_another_history, scenarios.restored_unannounced),
    Mutant("check_known", believes_every_consumer, scenarios.same_number_another_event),
    Mutant("chain_break", checks_no_chain, scenarios.two_histories_in_the_topic),
)
