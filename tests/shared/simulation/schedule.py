"""A seed becomes a run: random steps with faults between them, then rest, then the verdict.

Each seed first draws which faults it may use, how many, and how fast time passes (swarm testing: a run that uses few kinds of fault
reaches corners that a run with all of them never does).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.shared.simulation import consumer as consumers
from tests.shared.simulation import invariants, relay
from tests.shared.simulation.broker import Flight
from tests.shared.simulation.consumer import Replay
from tests.shared.simulation.source import Append, drop_days
from tests.shared.simulation.world import Rules, World

BUSY_STEPS: Final = 220
MAX_ROUNDS: Final = 400
"""Rounds in which everybody may take a step, after faults have ceased: a run that has not come to rest by then is stuck."""
REST_ROUNDS: Final = 40
"""Rounds of 10 s in which a world at rest must stay silent: longer than any nack lives."""
KEYS: Final = ("A", "B", "C")


@dataclass(frozen=True)
class Outcome:
    """What a run was made of."""

    seed: int
    faults: int
    events: int
    sends: int


class Failure(AssertionError):
    """A run broke an invariant. Its text holds the seed, the reason and the last steps."""

    def __init__(self, seed: int, reason: str, trace: list[tuple[str, str]]) -> None:
        lines = [f"{index:4} {who}: {what}" for index, (who, what) in enumerate(trace) if what != relay.IDLE]
        super().__init__("\n".join([f"seed {seed}: {reason}", f"replay: SIMULATION_SEED={seed} pytest -k simulation", *lines[-300:]]))
        self.seed = seed
        self.reason = reason


def run(seed: int, rules: Rules | None = None) -> Outcome:
    """Play the schedule of a seed.

    Raises:
        Failure: an invariant does not hold.
    """
    schedule = Schedule(seed, rules)
    try:
        return schedule.play()
    except AssertionError as violation:
        raise Failure(seed, str(violation), schedule.world.trace) from violation


class Schedule:
    """One run."""

    def __init__(self, seed: int, rules: Rules | None = None) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        draw = self.random
        services = ("tickets", "metrics")[: draw.choice((1, 1, 2))]
        self.world = World(
            relays=draw.choice((1, 2, 2)), services=services, members=draw.choice((1, 2)), batch_size=draw.choice((1, 2, 3)), rules=rules
        )
        faults = list(FAULTS)
        self.allowed = draw.sample(faults, draw.randint(1, len(faults)))
        self.fault_share = draw.choice((0.02, 0.05, 0.1))
        self.faults_left = draw.choice((0, 1, 2, 3, 6, 12))
        self.jump_share = draw.choice((0.01, 0.05, 0.15))
        self.events_left = draw.choice((1, 2, 3, 6, 12))
        self.faults = 0
        self.side: list[tuple[str, Iterator[str]]] = []
        """Transactions beside the loops: appends, retention, replays."""

    def play(self) -> Outcome:
        """Steps with faults, rest, verdict."""
        for _ in range(BUSY_STEPS):
            self.any_step()
        self.come_to_rest()
        if invariants.is_stopped(self.world) and not self.world.histories_met:
            self.resume()
            self.come_to_rest()
        self.stay_silent()
        return Outcome(self.seed, self.faults, len(self.world.committed), self.world.broker.sends)

    # --- the busy part ---

    def any_step(self) -> None:
        """Something happens, some time passes."""
        draw = self.random.random()
        if draw < self.fault_share and self.faults_left:
            self.fault()
        elif draw < 0.15:
            self.something_beside()
        else:
            self.actor_step()
        self.pass_time()
        invariants.no_false_alarm(self.world)

    def pass_time(self) -> None:
        """Mostly milliseconds; sometimes a timer's worth, so that timers fire early, between any two steps."""
        draw = self.random.random()
        if draw < self.jump_share:
            self.world.wait(seconds=self.random.choice((1, 2.5, 6, 31, 61)))
        else:
            self.world.wait(milliseconds=self.random.randint(1, 400))

    def actor_step(self) -> None:
        """A relay, a consumer, a report or the network goes on by one step."""
        kind = self.random.randrange(10)
        if kind < 3:
            actor = self.random.choice(self.world.relays)
            self.world.said(actor.place, actor.step())
        elif kind < 6:
            process = self.any_process()
            self.world.said(process.name, process.step())
        elif kind < 7:
            process = self.any_process()
            self.world.said(process.name, process.step_report())
        elif kind < 9:
            self.network_step()
        else:
            self.report_step()

    def any_process(self) -> consumers.Consumer:
        """One process of one service."""
        return self.random.choice(self.world.consumers[self.random.choice(list(self.world.consumers))])

    def network_step(self) -> None:
        """One batch lands, or its acknowledgement arrives."""
        if not self.world.broker.network:
            return
        batch = self.random.choice(self.world.broker.network)
        seqs = [record.seq for record in batch.records]
        if batch.flight is Flight.FLYING:
            self.world.broker.land(batch)
            self.world.said("broker", f"appends {'the delayed ' if batch.is_orphan else ''}{seqs}")
        else:
            self.world.broker.acknowledge(batch)
            self.world.said("broker", f"acknowledges {seqs}")

    def report_step(self) -> None:
        """One report arrives; they may overtake each other."""
        if self.world.reports:
            self.world.deliver_report(self.random.randrange(len(self.world.reports)))

    def something_beside(self) -> None:
        """A producer, retention or the operator goes on, or begins."""
        if self.side and self.random.random() < 0.7:
            self.side_step(self.random.randrange(len(self.side)))
        elif self.events_left:
            self.events_left -= 1
            commits = self.random.random() > 0.15
            self.side.append(("producer", Append(self.world).transaction(self.random.choice(KEYS), commits=commits)))
        elif self.random.random() < 0.3:
            upto = self.random.randint(0, self.world.source.head)
            self.side.append(("retention", drop_days(self.world, upto)))

    def side_step(self, index: int) -> None:
        """One of the transactions beside the loops goes on."""
        who, steps = self.side[index]
        what = next(steps, None)
        if what is None:
            del self.side[index]
        else:
            self.world.said(who, what)

    # --- faults ---

    def fault(self) -> None:
        """One fault of a kind that this run may use."""
        self.faults_left -= 1
        self.faults += 1
        name = self.random.choice(self.allowed)
        self.world.said("fault", name)
        FAULTS[name](self)

    def kill_relay(self) -> None:
        self.random.choice(self.world.relays).kill()

    def cut_off_relay(self) -> None:
        self.random.choice(self.world.relays).lose_database()

    def time_out_send(self) -> None:
        waiting = [batch for batch in self.world.broker.network if not batch.is_orphan]
        if waiting:
            self.world.broker.fail(self.random.choice(waiting))

    def lose_batch(self) -> None:
        flying = [batch for batch in self.world.broker.network if batch.flight is Flight.FLYING]
        if flying:
            self.world.broker.drop(self.random.choice(flying))

    def duplicate_batch(self) -> None:
        if self.world.broker.network:
            self.world.broker.duplicate(self.random.choice(self.world.broker.network))

    def lose_records(self) -> None:
        if self.world.broker.log:
            self.world.broker.lose(self.random.randint(1, len(self.world.broker.log)))

    def retain_records(self) -> None:
        """Kafka keeps 7 days: the oldest records go that every consumer has passed, and that no backup is older than."""
        broker, world = self.world.broker, self.world
        passed = min(database.state.next_off for database in world.databases.values()) - broker.start
        cursor = min([world.source.cursor, *(backup.cursor for backup in world.backups)]) if world.backups else world.source.head
        free = next((index for index, record in enumerate(broker.log) if record and record.seq >= cursor), len(broker.log))
        count = min(passed, free if world.backups else len(broker.log))
        if count > 0:
            broker.retain(self.random.randint(1, count))

    def inject_record(self) -> None:
        self.world.broker.inject()

    def kill_consumer(self) -> None:
        self.any_process().kill()

    def rebalance(self) -> None:
        service = self.random.choice(list(self.world.consumers))
        self.world.rebalance(service, self.random.randrange(len(self.world.consumers[service])))

    def set_back_consumer(self) -> None:
        service = self.random.choice(list(self.world.databases))
        history = self.world.databases[service].history
        if history:
            index = self.random.choice((len(history) - 1, self.random.randrange(len(history))))
            self.world.set_back(service, index, noticed=self.random.random() < 0.5)

    def lose_report(self) -> None:
        if self.world.reports:
            del self.world.reports[self.random.randrange(len(self.world.reports))]

    def repeat_report(self) -> None:
        if self.world.reports:
            self.world.deliver_report(self.random.randrange(len(self.world.reports)), keep=True)

    def poison_event(self) -> None:
        if self.world.committed:
            self.world.poison.add(self.random.choice(self.world.committed).event_id)

    def back_up(self) -> None:
        self.world.backups.append(self.world.source.backup())

    def restore_by_procedure(self) -> None:
        if self.may_restore():
            self.side.clear()
            self.world.stop_for_restore()
            self.world.restore(self.random.randrange(len(self.world.backups)))
            self.world.resume_after_restore()

    def restore_unannounced(self) -> None:
        if self.may_restore():
            self.side.clear()
            self.world.restore(self.random.randrange(len(self.world.backups)))
            self.world.must_be_exact = False

    def may_restore(self) -> bool:
        """There is a backup, and the broker still holds what consumers have applied: losing both leaves nothing to tell histories apart."""
        applied = max(database.state.position.last_seq for database in self.world.databases.values())
        held = max((record.seq for record in self.world.broker.log if record), default=0)
        return bool(self.world.backups) and applied <= held

    # --- the end ---

    def come_to_rest(self) -> None:
        """No more faults. Fair rounds until everybody has everything and the source knows, or somebody is being called."""
        self.world.said("schedule", "faults cease")
        self.world.poison.clear()
        for _ in range(MAX_ROUNDS):
            before = len(self.world.trace)
            self.fair_round()
            invariants.no_false_alarm(self.world)
            if self.is_at_rest():
                return
            idle = all(what in (relay.IDLE, consumers.IDLE) for _, what in self.world.trace[before:])
            self.world.wait(seconds=self.random.uniform(1, 12) if idle else 0.05)
        raise invariants.Violation(f"not at rest after {MAX_ROUNDS} rounds: {self.situation()}")

    def resume(self) -> None:
        """The operator does now what whoever restored the database forgot."""
        self.side.clear()
        self.world.stop_for_restore()
        self.world.resume_after_restore()
        self.world.must_be_exact = True

    def is_at_rest(self) -> bool:
        """Drained and known, or loud where that is an accepted end."""
        at_rest = invariants.is_settled(self.world) or invariants.is_stopped(self.world)
        return (
            at_rest and not self.side and self.world.source.cursor_lock is None and not self.world.reports and not self.world.broker.network
        )

    def fair_round(self) -> None:
        """Everybody takes a step, in a random order."""
        self.start_replays()
        steps: list[Callable[[], None]] = [self.network_step, self.report_step]
        steps += [lambda actor=actor: self.world.said(actor.place, actor.step()) for actor in self.world.relays]
        for process in (process for processes in self.world.consumers.values() for process in processes):
            steps.append(lambda process=process: self.world.said(process.name, process.step()))
            steps.append(lambda process=process: self.world.said(process.name, process.step_report()))
        steps += [lambda entry=entry: self.side_step(self.side.index(entry)) for entry in self.side]
        self.random.shuffle(steps)
        for step in steps:
            step()

    def start_replays(self) -> None:
        """The handler has been repaired: the operator replays what is parked."""
        for database in self.world.databases.values():
            if database.state.parked and not any(who == "operator" for who, _ in self.side):
                self.side.append(("operator", Replay(self.world, database).run(min(database.state.parked))))

    def stay_silent(self) -> None:
        """At rest the relay sends nothing, whatever the time; and everything had its effect."""
        sends = 0
        for index in range(REST_ROUNDS):
            if index == REST_ROUNDS // 2:
                sends = self.world.broker.sends
            self.fair_round()
            self.world.wait(seconds=10)
        if self.world.broker.sends > sends:
            raise invariants.Violation(f"{self.world.broker.sends - sends} batches sent while at rest")
        if not invariants.is_stopped(self.world):
            invariants.everything_has_its_effect(self.world)

    def situation(self) -> str:
        """Where everything stands."""
        source, broker = self.world.source, self.world.broker
        positions = {name: database.state.position.last_seq for name, database in self.world.databases.items()}
        log = [record and record.seq for record in broker.log]
        return (
            f"head {source.head}, cursor {source.cursor}, floor {source.floor}, known {source.known}, log {log} from {broker.start}, "
            f"positions {positions}, stopped {source.stopped}"
        )


FAULTS: Final[dict[str, Callable[[Schedule], None]]] = {
    "relay killed": Schedule.kill_relay,
    "relay cut off from its database": Schedule.cut_off_relay,
    "send times out": Schedule.time_out_send,
    "batch lost": Schedule.lose_batch,
    "batch duplicated": Schedule.duplicate_batch,
    "broker loses its last records": Schedule.lose_records,
    "retention of the topic": Schedule.retain_records,
    "foreign record": Schedule.inject_record,
    "consumer killed": Schedule.kill_consumer,
    "rebalance": Schedule.rebalance,
    "consumer database set back": Schedule.set_back_consumer,
    "report lost": Schedule.lose_report,
    "report repeated": Schedule.repeat_report,
    "poison": Schedule.poison_event,
    "source backed up": Schedule.back_up,
    "source restored by procedure": Schedule.restore_by_procedure,
    "source restored, unannounced": Schedule.restore_unannounced,
}
