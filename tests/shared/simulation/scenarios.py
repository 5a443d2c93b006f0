"""Traces that model checking found, each the shortest that goes wrong when its rule is missing. All of them end whole, or loud where
nothing else is left.

Each takes the rules of the world, so that the same trace can be played without its rule, and raises a Violation when it goes wrong.
"""

from __future__ import annotations

from tests.shared.simulation import consumer, invariants, relay, rest, restore
from tests.shared.simulation.consumer import Consumer, Replay
from tests.shared.simulation.relay import Relay
from tests.shared.simulation.source import Append
from tests.shared.simulation.world import Rules, World


def world_of(rules: Rules, *, relays: int = 1, members: int = 1, services: tuple[str, ...] = ("tickets",), batch_size: int = 2) -> World:
    """A small world."""
    return World(relays=relays, members=members, services=services, batch_size=batch_size, rules=rules)


def carry_next(world: World, carrier: Relay) -> None:
    """The relay sends what is next, and commits the cursor."""
    carrier.until(relay.SENDS)
    world.carry()
    world.carry()
    carrier.until(relay.COMMITS)


def apply_next(process: Consumer) -> None:
    """The consumer polls one batch and commits it."""
    process.until(consumer.POLLS)
    process.until(consumer.COMMITS)


def report(world: World, process: Consumer) -> None:
    """The source hears where the consumer stands."""
    process.until_report(consumer.REPORTS)
    while world.reports:
        world.deliver_report()


def loss_before_quiet(rules: Rules) -> None:
    """The broker loses what a consumer has polled; the next event lands at its offset, where that consumer never reads again."""
    world = world_of(rules)
    (carrier,), (process,) = world.relays, world.consumers["tickets"]
    world.append()
    carry_next(world, carrier)
    process.until(consumer.POLLS)

    world.broker.lose(1)
    world.append()
    carry_next(world, carrier)
    process.until(consumer.COMMITS)

    rest.settle(world)


def loss_of_a_repeat(rules: Rules) -> None:
    """The same with a producer that notices every loss: the lost record was only a repeat, so nothing is missing in the log."""
    world = world_of(rules)
    (carrier,), (process,) = world.relays, world.consumers["tickets"]
    world.append()
    carrier.until(relay.SENDS)
    world.broker.duplicate(world.broker.network[0])
    world.carry()
    world.carry()
    world.carry()
    carrier.until(relay.COMMITS)
    apply_next(process)

    world.broker.lose(1)
    world.append()
    carry_next(world, carrier)

    rest.settle(world)


def tail_over_a_hole(rules: Rules) -> None:
    """The tail is the end of a log with a hole: whoever takes over must not believe that everything before it is there."""
    world = world_of(rules, relays=2, batch_size=1)
    first, second = world.relays
    world.append()
    carry_next(world, first)
    world.broker.lose(1)
    world.append()
    first.until(relay.SENDS)
    world.carry()
    first.kill()

    world.wait(seconds=6)
    second.until(relay.READS_ROWS)

    rest.settle(world)


def replay_while_parking(rules: Rules) -> None:
    """A replay reads the parked events of a key while a consumer is about to park one more."""
    world = world_of(rules, batch_size=3)
    (carrier,), (process,) = world.relays, world.consumers["tickets"]
    world.append("K", poison=True)
    world.append("K")
    world.append("K")
    carry_next(world, carrier)
    apply_next(process)
    world.append("K")
    carry_next(world, carrier)
    process.until(consumer.LOCKS)

    world.poison.clear()
    world.beside.append(("operator", Replay(world, process.database).run("K")))
    world.go_on_beside(world.beside[0])
    process.until(consumer.COMMITS)

    rest.settle(world)


def lost_commit(rules: Rules) -> None:
    """A consumer's database loses its last commit in a crash: the broker still holds the event, so nobody needs to send it again."""
    world = world_of(rules)
    (carrier,), (process,) = world.relays, world.consumers["tickets"]
    world.append()
    carry_next(world, carrier)
    apply_next(process)

    world.set_back("tickets")

    rest.settle(world)
    if world.broker.sends > 1:
        raise invariants.Violation("the consumer waited until the event was sent again")


def report_before_set_back(rules: Rules) -> None:
    """The number that a consumer reported is taken back with its database, and it does not notice."""
    world = world_of(rules)
    (carrier,), (process,) = world.relays, world.consumers["tickets"]
    world.append()
    carry_next(world, carrier)
    apply_next(process)
    process.until_report(consumer.REPORTS)

    world.set_back("tickets", noticed=False)
    world.deliver_report()

    rest.settle(world)


def report_lost_after_set_back(rules: Rules) -> None:
    """The only report that would have told of a set-back is lost."""
    world = world_of(rules)
    (carrier,), (process,) = world.relays, world.consumers["tickets"]
    world.append()
    carry_next(world, carrier)
    apply_next(process)
    report(world, process)
    world.broker.lose(1)

    world.set_back("tickets", keeps_offset=True)
    world.wait(seconds=31)
    process.until_report(consumer.LOSES)
    process.until(consumer.SEEKS)
    process.until_report(consumer.REPORTS)
    world.reports.clear()

    rest.settle(world)


def cursor_below_the_floor(rules: Rules) -> None:
    """A relay dies after sending; a consumer that has the event lets its row be dropped; the next relay begins at the old cursor."""
    world = world_of(rules, relays=2)
    (first, second), (process,) = world.relays, world.consumers["tickets"]
    world.append()
    world.append()
    first.until(relay.SENDS)
    world.carry()
    first.kill()
    process.batch_size = 1
    apply_next(process)
    report(world, process)

    world.drop_days(1)
    second.until(relay.READS_ROWS)

    rest.settle(world)


def all_rows_dropped(rules: Rules) -> None:
    """The same, and every row is gone: a cursor that stayed below the floor would look like work for ever."""
    world = world_of(rules)
    (carrier,), (process,) = world.relays, world.consumers["tickets"]
    world.append()
    carrier.until(relay.SENDS)
    world.carry()
    carrier.kill()
    apply_next(process)
    report(world, process)

    world.drop_days(1)

    rest.settle(world)


def slow_consumer(rules: Rules) -> None:
    """One consumer has an event, the other one has not yet; the broker loses it when its day could be dropped."""
    world = world_of(rules, services=("tickets", "metrics"))
    (carrier,), (fast,) = world.relays, world.consumers["tickets"]
    world.append()
    world.append()
    carry_next(world, carrier)
    apply_next(fast)
    report(world, fast)

    world.drop_days(1)
    world.broker.lose(2)

    rest.settle(world)


def set_back_below_the_floor(rules: Rules) -> World:
    """A consumer is set back further than the outbox reaches, and the topic does not hold the rows either: an alarm, and silence."""
    world = world_of(rules)
    (carrier,), (process,) = world.relays, world.consumers["tickets"]
    world.append()
    world.append()
    carry_next(world, carrier)
    apply_next(process)
    report(world, process)
    world.drop_days(1)
    world.broker.retain(1)

    world.set_back("tickets", 0)

    rest.settle(world)
    if world.source.below_floor() != ["tickets"]:
        raise invariants.Violation("nobody is told that a consumer is below the floor")
    return world


def set_back_and_reread(rules: Rules) -> None:
    """The topic still holds what the outbox has dropped, but the consumer reads on behind it: reading again from the start helps."""
    world = world_of(rules)
    (carrier,), (process,) = world.relays, world.consumers["tickets"]
    world.append()
    world.append()
    carry_next(world, carrier)
    apply_next(process)
    report(world, process)
    world.drop_days(1)
    world.set_back("tickets", 0, keeps_offset=True)
    rest.settle(world)

    world.reread("tickets")
    world.databases["tickets"].was_set_back = False

    rest.settle(world)


def second_commits_first(rules: Rules) -> None:
    """Two transactions of the source append; the one that began later commits first."""
    world = world_of(rules)
    (carrier,) = world.relays
    early, late = Append(world).transaction("K"), Append(world).transaction("K")
    world.beside += [("early", early), ("late", late)]
    for entry in list(world.beside):
        world.go_on_beside(entry)
    world.go_on_beside(world.beside[1])

    for _ in range(4):
        carrier.step()

    rest.settle(world)


def two_owners(rules: Rules) -> None:
    """After a rebalance the old owner still works on the records that the new owner has polled as well."""
    world = world_of(rules, members=2)
    (carrier,), (old, new) = world.relays, world.consumers["tickets"]
    world.append()
    carry_next(world, carrier)
    old.until(consumer.LOCKS)

    world.rebalance("tickets", 1)
    new.until(consumer.POLLS)
    new.step()
    old.until(consumer.COMMITS)

    rest.settle(world)


def restored_by_procedure(rules: Rules) -> None:
    """The source is restored to an older state, everybody stands still, and the operator resumes."""
    world = world_of(rules, services=("tickets", "metrics"))
    (carrier,), (tickets,) = world.relays, world.consumers["tickets"]
    world.append()
    world.backups.append(world.source.backup())
    world.append()
    carry_next(world, carrier)
    apply_next(tickets)

    restore.restore_by_procedure(world)
    world.append()

    rest.settle(world)


def restored_unannounced(rules: Rules) -> None:
    """Nobody says that the source was restored, and it takes an event before its relay has looked at the broker."""
    world = world_of(rules)
    (carrier,), (process,) = world.relays, world.consumers["tickets"]
    world.backups.append(world.source.backup())
    world.append()
    carry_next(world, carrier)
    apply_next(process)

    restore.restore_unannounced(world)
    world.append()
    carrier.until(relay.STOPS)

    restore.stop_everything(world)
    restore.resume(world)
    rest.settle(world)


def two_histories_in_the_topic(rules: Rules) -> None:
    """The same, and the broker has lost what would have shown it: the consumer is the last who can tell the two histories apart."""
    world = world_of(rules)
    (carrier,), (process,) = world.relays, world.consumers["tickets"]
    world.backups.append(world.source.backup())
    world.append()
    carry_next(world, carrier)
    apply_next(process)

    world.broker.lose(1)
    restore.restore_unannounced(world)
    world.append()
    world.append()

    rest.become_loud(world)


def same_number_another_event(rules: Rules) -> None:
    """The same, but the new event lands where the consumer has read already: both call their last number 1, and mean two events."""
    world = world_of(rules)
    (carrier,), (process,) = world.relays, world.consumers["tickets"]
    world.backups.append(world.source.backup())
    world.append()
    carry_next(world, carrier)
    apply_next(process)

    world.broker.lose(1)
    restore.restore_unannounced(world)
    world.append()
    carry_next(world, carrier)

    rest.become_loud(world)


def row_deleted_by_hand(rules: Rules) -> None:
    """Somebody deletes a row of the outbox: the log stops and says so, rather than to send over the hole."""
    world = world_of(rules)
    (carrier,) = world.relays
    world.append()
    world.append()
    del world.source.rows[1]

    carrier.until(relay.STOPS)
