"""The source database restored to an older state: unannounced, or by the procedure of `aftercare outbox resume-after-restore`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from shared import protocol
from tests.shared.simulation.broker import Record

if TYPE_CHECKING:
    from tests.shared.simulation.world import World


def restore(world: World, index: int = -1) -> None:
    """The source database is what it was at that backup; later ones are of a history that is over. Relays start again."""
    del world.backups[range(len(world.backups))[index] + 1 :]
    world.source = world.backups[index].backup()
    world.was_restored, world.restored_head = True, world.source.head
    world.beside.clear()
    for relay in world.relays:
        relay.kill()
    world.said("fault", f"source database restored: head {world.source.head}, cursor {world.source.cursor}")


def restore_unannounced(world: World, index: int = -1) -> None:
    """Nobody stops anything, nobody says anything."""
    restore(world, index)
    world.must_be_exact = False


def restore_by_procedure(world: World, index: int = -1) -> protocol.ResumePlan:
    """Stop every role, wait longer than a send may take, restore, resume, start."""
    stop_everything(world)
    restore(world, index)
    return resume(world)


def has_evidence(world: World) -> bool:
    """The broker holds what consumers have applied, and nothing from after a restore that nobody announced.

    Without that, no resume can tell rows that everybody shares from rows accepted since.
    """
    applied = max(database.state.position.last_seq for database in world.databases.values())
    held = max((record.seq for record in world.broker.log if record), default=0)
    return applied <= held and not world.histories_met


def stop_everything(world: World) -> None:
    """All roles end, in the source and in its consumers; nothing is in flight any more."""
    world.broker.network.clear()
    world.beside.clear()
    for relay in world.relays:
        relay.kill()
    for processes in world.consumers.values():
        for process in processes:
            process.kill()


def resume(world: World) -> protocol.ResumePlan:
    """`aftercare outbox resume-after-restore`, while everybody stands still."""
    source = world.source
    base = protocol.read_after(source.cursor, source.floor)
    rows = source.after(base, len(source.rows))
    broker = {record.seq: record.numbered for record in world.broker.log if record is not None and record.seq > base}
    positions = [database.state.position for database in world.databases.values()]
    applied = {position.last_seq: position.last_id for position in positions}
    plan = protocol.plan_resume(base, [row.numbered for row in rows], broker, applied, source.head)
    rewrite(world, base, rows, plan)
    source.stopped = None
    world.must_be_exact = True
    world.said("operator", f"resumes: head {source.head}, {len(plan.lost)} events only in the broker")
    return plan


def rewrite(world: World, base: int, rows: Sequence[Record], plan: protocol.ResumePlan) -> None:
    """Give the rows above the base their planned numbers, each naming the one before it, in a new epoch."""
    source = world.source
    source.epoch += 1
    previous = id_at(world, base, rows)
    by_id = {row.event_id: row for row in rows}
    for row in rows:
        del source.rows[row.seq]
    for placed in plan.placed:
        event_id = placed.event_id or world.new_id()
        key = by_id[placed.row].key if placed.row else "filler"
        numbered = protocol.Numbered(source.epoch, placed.seq, event_id, previous)
        source.rows[placed.seq] = Record(numbered, key, is_filler=placed.row is None)
        previous = event_id
    source.head, source.head_id = plan.head, previous


def id_at(world: World, base: int, rows: Sequence[Record]) -> UUID | None:
    """The event id at the base, also where its row is dropped: the next row names it, or it is the head's."""
    return rows[0].numbered.previous_id if rows else world.source.head_id
