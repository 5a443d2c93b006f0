"""Rest: faults have ceased, everybody gets his turn, and the world must become whole, known and silent."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from tests.shared.simulation import consumer, invariants, relay
from tests.shared.simulation.consumer import Replay
from tests.shared.simulation.world import World

MAX_ROUNDS: Final = 400
"""Rounds in which everybody may take a step: a world that has not come to rest by then is stuck."""

SILENT_ROUNDS: Final = 25
"""Rounds of 10 s without a single send: longer than any nack lives."""

IDLE: Final = (relay.IDLE, consumer.IDLE)


def fair() -> random.Random:
    """An order of steps like any other, always the same."""
    return random.Random(0)


def settle(world: World) -> None:
    """Come to rest and stay there.

    Raises:
        Violation: something is missing, doubled or stuck, or rows are sent for ever.
    """
    chance = fair()
    come_to_rest(world, chance)
    fall_silent(world, chance)


def become_loud(world: World) -> None:
    """Somebody must be told before long: nothing else helps.

    Raises:
        Violation: nobody is.
    """
    chance = fair()
    for _ in range(MAX_ROUNDS):
        fair_round(world, chance)
        if invariants.is_stopped(world):
            return
        world.wait(seconds=1)
    raise invariants.Violation(f"nobody is told: {situation(world)}")


def come_to_rest(world: World, chance: random.Random) -> None:
    """Fair rounds until everybody has everything and the source knows, or somebody is being called."""
    world.said("schedule", "faults cease")
    world.poison.clear()
    for _ in range(MAX_ROUNDS):
        busy = fair_round(world, chance)
        invariants.no_false_alarm(world)
        if is_at_rest(world):
            return
        world.wait(seconds=0.05 if busy else chance.uniform(1, 12))
    raise invariants.Violation(f"not at rest after {MAX_ROUNDS} rounds: {situation(world)}")


def fall_silent(world: World, chance: random.Random) -> None:
    """Once at rest the relay soon sends nothing any more, and everything had its effect."""
    silent = 0
    for _ in range(MAX_ROUNDS):
        sends = world.broker.sends
        fair_round(world, chance)
        world.wait(seconds=10)
        silent = silent + 1 if world.broker.sends == sends else 0
        if silent == SILENT_ROUNDS:
            break
    else:
        raise invariants.Violation(f"rows are sent for ever: {situation(world)}")
    invariants.everything_has_its_effect(world)


def is_at_rest(world: World) -> bool:
    """Whole and known, or stopped where that is an accepted end; and nothing is under way."""
    under_way = world.beside or world.reports or world.broker.network or world.source.cursor_lock
    return not under_way and (invariants.is_settled(world) or invariants.is_stopped(world))


def fair_round(world: World, chance: random.Random) -> bool:
    """Everybody takes a step, in a random order. Whether anybody had something to do."""
    start_replays(world)
    steps: list[Callable[[], str]] = [actor.step for actor in world.relays]
    for processes in world.consumers.values():
        for process in processes:
            steps += [process.step, process.step_report]
    chance.shuffle(steps)
    deliver(world, chance)
    was_busy = [step() not in IDLE for step in steps]
    return any(was_busy)


def deliver(world: World, chance: random.Random) -> None:
    """The network does one thing of each kind; transactions beside the loops go on."""
    if world.broker.network:
        world.carry(chance.choice(world.broker.network))
    if world.reports:
        world.deliver_report(chance.randrange(len(world.reports)))
    for entry in list(world.beside):
        world.go_on_beside(entry)


def start_replays(world: World) -> None:
    """The handler has been repaired: the operator replays what is parked, one key after the other."""
    if any(who == "operator" for who, _ in world.beside):
        return
    for database in world.databases.values():
        for key in sorted(database.state.parked)[:1]:
            world.beside.append(("operator", Replay(world, database).run(key)))


def situation(world: World) -> str:
    """Where everything stands."""
    source, broker = world.source, world.broker
    known = {service: (report.last_seq, report.expected) for service, report in source.known.items()}
    positions = {service: database.state.position.last_seq for service, database in world.databases.items()}
    log = [record.seq if record else "foreign" for record in broker.log]
    return (
        f"head {source.head}, cursor {source.cursor}, floor {source.floor}, known {known}, log {log} from offset {broker.start}, "
        f"consumers at {positions}, stopped {source.stopped}"
    )
