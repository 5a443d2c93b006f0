"""A seed becomes a run: random steps with faults between them, then rest, then the verdict.

Each seed first draws which faults it may use, how many, and how fast time passes (swarm testing: a run that uses few kinds of fault
reaches corners that a run with all of them never does).
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tests.shared.simulation import faults, invariants, rest, restore
from tests.shared.simulation.source import Append, drop_days
from tests.shared.simulation.world import Rules, World

BUSY_STEPS: Final = 220
KEYS: Final = ("A", "B", "C")


@dataclass(frozen=True)
class Outcome:
    """What a run was made of."""

    seed: int
    faults: tuple[str, ...]
    events: int
    sends: int


class Failure(AssertionError):
    """A run broke an invariant. The text holds the seed, the reason, and every step that was one."""

    def __init__(self, seed: int, reason: str, trace: list[tuple[str, str]]) -> None:
        steps = [f"{index:5} {who}: {what}" for index, (who, what) in enumerate(trace) if what not in rest.IDLE]
        super().__init__("\n".join([f"seed {seed}: {reason}", f"replay it with SIMULATION_SEED={seed}", *steps[:400]]))
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


def run_all(seeds: Iterable[int], rules: Rules | None = None) -> list[Outcome]:
    """Play the schedules of seeds, up to the first that fails.

    Raises:
        Failure: an invariant does not hold.
    """
    return [run(seed, rules) for seed in seeds]


class Schedule:
    """One run."""

    def __init__(self, seed: int, rules: Rules | None = None) -> None:
        self.seed = seed
        self.chance = chance = random.Random(seed)
        self.world = World(
            relays=chance.choice((1, 2, 2)),
            services=("tickets", "metrics")[: chance.choice((1, 1, 2))],
            members=chance.choice((1, 2)),
            batch_size=chance.choice((1, 2, 3)),
            rules=rules,
        )
        self.allowed = chance.sample(list(faults.FAULTS), chance.randint(1, len(faults.FAULTS)))
        self.fault_share = chance.choice((0.02, 0.05, 0.1))
        self.faults_left = chance.choice((0, 1, 2, 3, 6, 12))
        self.jump_share = chance.choice((0.01, 0.05, 0.15))
        self.events_left = chance.choice((1, 2, 3, 6, 12))
        self.done: list[str] = []

    def play(self) -> Outcome:
        """Steps with faults, rest, verdict."""
        for _ in range(BUSY_STEPS):
            self.any_step()
        rest.come_to_rest(self.world, self.chance)
        if invariants.is_stopped(self.world) and restore.has_evidence(self.world):
            # the operator does now what whoever restored the database forgot
            restore.stop_everything(self.world)
            restore.resume(self.world)
            rest.come_to_rest(self.world, self.chance)
        if not invariants.is_stopped(self.world):
            rest.fall_silent(self.world, self.chance)
        return Outcome(self.seed, tuple(self.done), len(self.world.committed), self.world.broker.sends)

    def any_step(self) -> None:
        """Something happens, some time passes."""
        draw = self.chance.random()
        if draw < self.fault_share and self.faults_left:
            self.fault()
        elif draw < 0.15:
            self.step_beside()
        else:
            self.step()
        self.pass_time()
        invariants.no_false_alarm(self.world)

    def fault(self) -> None:
        """One fault of a kind that this run may use."""
        self.faults_left -= 1
        name = self.chance.choice(self.allowed)
        self.done.append(name)
        self.world.said("fault", name)
        faults.FAULTS[name](self.world, self.chance)

    def step(self) -> None:
        """A relay, a consumer, its reports or the network go on by one step."""
        draw, world = self.chance.randrange(10), self.world
        if draw < 3:
            self.chance.choice(world.relays).step()
        elif draw < 6:
            faults.any_process(world, self.chance).step()
        elif draw < 7:
            faults.any_process(world, self.chance).step_report()
        elif draw < 9 and world.broker.network:
            world.carry(self.chance.choice(world.broker.network))
        elif world.reports:
            world.deliver_report(self.chance.randrange(len(world.reports)))

    def step_beside(self) -> None:
        """A producer, retention or the operator goes on, or begins."""
        chance, world = self.chance, self.world
        if world.beside and chance.random() < 0.7:
            world.go_on_beside(chance.choice(world.beside))
        elif self.events_left and chance.random() < 0.8:
            self.events_left -= 1
            world.beside.append(("producer", Append(world).transaction(chance.choice(KEYS), commits=chance.random() > 0.15)))
        elif chance.random() < 0.5:
            world.beside.append(("retention", drop_days(world, chance.randint(0, world.source.head))))
        elif chance.random() < 0.3:
            rest.start_replays(world)

    def pass_time(self) -> None:
        """Mostly milliseconds; sometimes a timer's worth, so that timers fire early, between any two steps."""
        if self.chance.random() < self.jump_share:
            self.world.wait(seconds=self.chance.choice((1, 2.5, 6, 31, 61)))
        else:
            self.world.wait(milliseconds=self.chance.randint(1, 400))
