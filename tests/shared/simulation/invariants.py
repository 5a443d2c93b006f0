"""What must hold: after every step (safety), and at rest, when faults have ceased (liveness)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.shared.simulation.consumer import ConsumerDatabase
    from tests.shared.simulation.world import World


class Violation(AssertionError):
    """A rule of the protocol does not hold."""


def cursor_only_rises_over_acknowledged(world: World, before: int, after: int) -> None:
    """The cursor says what is known to be in Kafka: it never passes a number that the broker has not acknowledged."""
    passed = range(max(before, world.source.floor) + 1, after + 1)
    unheard = [seq for seq in passed if seq not in world.broker.acknowledged]
    if unheard:
        raise Violation(f"cursor raised from {before} to {after}, but {unheard} were never acknowledged")


def effects_are_exact(world: World, database: ConsumerDatabase) -> None:
    """Applied + parked = the events up to last_seq, each once, and those of one key in their order."""
    state = database.state
    taken = [*state.effects, *state.dead]
    repeated = [str(event_id) for event_id, count in Counter(record.event_id for record in taken).items() if count > 1]
    if repeated:
        raise Violation(f"taken twice: {repeated}")
    for key in {record.key for record in state.effects}:
        applied = [record.seq for record in state.effects if record.key == key]
        waiting = [record.seq for record in state.dead if record.key == key]
        if applied != sorted(applied) or (waiting and applied and min(waiting) < max(applied)):
            raise Violation(f"key {key} applied out of order: {applied}, parked {waiting}")
    if not world.was_restored and sorted(record.seq for record in taken) != list(range(1, state.position.last_seq + 1)):
        raise Violation(f"last_seq is {state.position.last_seq}, but taken are {sorted(record.seq for record in taken)}")


def no_false_alarm(world: World) -> None:
    """Only a restore that nobody announced may stop a log or a partition."""
    if not world.must_be_exact:
        return
    if world.source.stopped:
        raise Violation(f"the log was stopped: {world.source.stopped}")
    for process in (process for processes in world.consumers.values() for process in processes):
        if process.stopped:
            raise Violation(f"{process.name} was stopped: {process.stopped}")


def is_stopped(world: World) -> bool:
    """Somebody is being called: the log or a partition stands still."""
    return bool(world.source.stopped) or any(process.stopped for processes in world.consumers.values() for process in processes)


def beyond_help(world: World) -> list[str]:
    """Consumers whose database went back below the floor: an alarm is an accepted end for them, and for nobody else."""
    return [service for service in world.source.below_floor() if world.databases[service].was_set_back]


def is_settled(world: World) -> bool:
    """Everybody has everything, nothing is parked, and the source knows; except for consumers that only the topic could help."""
    source, below = world.source, beyond_help(world)
    return source.cursor == source.head and all(
        database.state.position.last_seq == source.head
        and not database.state.parked
        and source.known[service].last_seq == source.head
        and source.known[service].expected is None
        for service, database in world.databases.items()
        if service not in below
    )


def everything_has_its_effect(world: World) -> None:
    """At rest: each event that the source accepted, and still has or had dropped, has its effect once in every consumer."""
    for service, database in world.databases.items():
        if service in beyond_help(world):
            continue
        effects = Counter(record.event_id for record in database.state.effects)
        missing = [row.seq for row in world.source.accepted if effects[row.event_id] != 1]
        if missing:
            raise Violation(f"{service} lacks the effects of {missing}")
        if database.state.dead:
            raise Violation(f"{service} has stranded events {[record.seq for record in database.state.dead]}")
