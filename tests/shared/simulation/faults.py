"""What may go wrong between any two steps. Each fault takes the world and the schedule's chance; without an object it does nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from tests.shared.simulation import restore
from tests.shared.simulation.broker import Flight
from tests.shared.simulation.consumer import Consumer
from tests.shared.simulation.world import World


def any_process(world: World, chance: random.Random) -> Consumer:
    """One process of one consuming service."""
    return chance.choice(world.consumers[chance.choice(list(world.consumers))])


def kill_relay(world: World, chance: random.Random) -> None:
    chance.choice(world.relays).kill()


def cut_off_relay(world: World, chance: random.Random) -> None:
    chance.choice(world.relays).lose_database()


def time_out_send(world: World, chance: random.Random) -> None:
    waiting = [batch for batch in world.broker.network if not batch.is_orphan]
    if waiting:
        world.broker.fail(chance.choice(waiting))


def lose_batch(world: World, chance: random.Random) -> None:
    flying = [batch for batch in world.broker.network if batch.flight is Flight.FLYING]
    if flying:
        world.broker.drop(chance.choice(flying))


def duplicate_batch(world: World, chance: random.Random) -> None:
    if world.broker.network:
        world.broker.duplicate(chance.choice(world.broker.network))


def lose_records(world: World, chance: random.Random) -> None:
    if world.broker.log:
        world.broker.lose(chance.randint(1, len(world.broker.log)))


def retain_records(world: World, chance: random.Random) -> None:
    """The topic keeps its records for days: only those go that every consumer has passed, and that are older than any backup."""
    broker = world.broker
    passed = min(database.state.next_off for database in world.databases.values()) - broker.start
    oldest = min((backup.cursor for backup in world.backups), default=world.source.head + 1)
    needed = [index for index, record in enumerate(broker.log) if record is not None and record.seq >= oldest]
    free = min([passed, len(broker.log), *needed[:1]])
    if free > 0:
        broker.retain(chance.randint(1, free))


def inject_record(world: World, chance: random.Random) -> None:
    world.broker.inject()


def kill_consumer(world: World, chance: random.Random) -> None:
    any_process(world, chance).kill()


def rebalance(world: World, chance: random.Random) -> None:
    service = chance.choice(list(world.consumers))
    world.rebalance(service, chance.randrange(len(world.consumers[service])))


def set_back_consumer(world: World, chance: random.Random) -> None:
    service = chance.choice(list(world.databases))
    history = world.databases[service].history
    if history:
        index = chance.choice((len(history) - 1, chance.randrange(len(history))))
        world.set_back(service, index, noticed=chance.random() < 0.5, keeps_offset=chance.random() < 0.3)


def lose_report(world: World, chance: random.Random) -> None:
    if world.reports:
        del world.reports[chance.randrange(len(world.reports))]


def repeat_report(world: World, chance: random.Random) -> None:
    if world.reports:
        world.deliver_report(chance.randrange(len(world.reports)), keep=True)


def poison_event(world: World, chance: random.Random) -> None:
    if world.committed:
        world.poison.add(chance.choice(world.committed).event_id)


def back_up(world: World, chance: random.Random) -> None:
    world.backups.append(world.source.backup())


def restore_by_procedure(world: World, chance: random.Random) -> None:
    if may_restore(world):
        restore.restore_by_procedure(world, chance.randrange(len(world.backups)))


def restore_unannounced(world: World, chance: random.Random) -> None:
    if world.backups and world.must_be_exact:
        restore.restore_unannounced(world, chance.randrange(len(world.backups)))


def may_restore(world: World) -> bool:
    """There is a backup, and something to tell the histories apart; one restore at a time."""
    return bool(world.backups) and world.must_be_exact and restore.has_evidence(world)


FAULTS: Final[dict[str, Callable[[World, random.Random], None]]] = {
    "relay killed": kill_relay,
    "relay cut off from its database": cut_off_relay,
    "send times out": time_out_send,
    "batch lost": lose_batch,
    "batch duplicated": duplicate_batch,
    "broker loses its last records": lose_records,
    "retention of the topic": retain_records,
    "foreign record": inject_record,
    "consumer killed": kill_consumer,
    "rebalance": rebalance,
    "consumer database set back": set_back_consumer,
    "report lost": lose_report,
    "report repeated": repeat_report,
    "poison": poison_event,
    "source backed up": back_up,
    "source restored by procedure": restore_by_procedure,
    "source restored, unannounced": restore_unannounced,
}
