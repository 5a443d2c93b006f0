"""One chaos run: platform, load, faults, rest, reconciliation."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final

from deploy.demo.mailbox import Mailbox
from deploy.local.home import Home
from shared.clock import monotonic, real_now
from tests.chaos import department, poison, replaying
from tests.chaos.cases import Cases, Staff
from tests.chaos.eyes import AWAY, Eyes, await_quiet
from tests.chaos.faults.campaign import Struck, campaign
from tests.chaos.ledger import Ledger
from tests.chaos.load import Load
from tests.chaos.platform import Platform, running
from tests.chaos.reconcile import Check, World, reconcile
from tests.chaos.schedule import ALL, plan
from tests.chaos.story import Story
from tests.chaos.surveys import Surveys
from tests.chaos.tasks import ended
from tests.chaos.wire import Caller, Patience, Wire

PATIENCE: Final = 180.0
"""Seconds after the load and the last fault in which callers go on trying and staff finish what they have in hand; and again so many after
that, within which the platform must have come to rest."""
LATE_FOR: Final = 60.0
"""Seconds after the load until which somebody waits for his survey to expire, to answer it then."""
REPLAY_AT: Final = 0.45
"""Share of the load after which the poison is taken away and what is parked is replayed, for the first time."""
WORKED: Final = 0.35
"""Share of the tickets that staff work on."""
ENOUGH: Final = 500
"""Acknowledged requests of a run in which everything must have happened at least once."""
TELL_EVERY: Final = 5.0
WATCH_EVERY: Final = 0.1


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    seconds: float = 60
    rate: float = 60
    faults: tuple[str, ...] = ("all",)
    seed: int = 1
    brokers: int = 1
    mutant: str | None = None
    """A planted bug that the run must find; see mutants.py."""
    patience: float = PATIENCE
    """Seconds for work in hand after the load, and again for coming to rest."""

    @property
    def command(self) -> str:
        """What plays it again."""
        faults = ",".join(self.faults) or "none"
        mutant = f" --mutant {self.mutant}" if self.mutant else ""
        patience = f" --patience {self.patience:g}" if self.patience != PATIENCE else ""
        return (
            f"python -m tests.chaos --seconds {self.seconds:g} --rate {self.rate:g} --faults {faults} --seed {self.seed}"
            f" --brokers {self.brokers}{mutant}{patience}"
        )


@dataclass
class Outcome:
    """What came of it."""

    options: Options
    ledger: Ledger = field(default_factory=Ledger)
    struck: list[Struck] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    quiet_after: float | None = None
    """Seconds from the end of the load and of all work on tickets to rest; None: no rest within the deadline."""
    deaths: Counter[str] = field(default_factory=Counter)
    died_by_themselves: list[str] = field(default_factory=list)
    most_behind: int = 0

    @property
    def differences(self) -> int:
        """Over all checks."""
        return sum(len(check.differences) for check in self.checks)

    @property
    def passed(self) -> bool:
        """Nothing differs in a platform that rested, after it had done something."""
        return self.quiet_after is not None and not self.differences and bool(self.checks) and bool(self.ledger.by_reference)


Say = Callable[[str], None]


async def run(options: Options, home: Home, wrapper: Mapping[str, Sequence[str]], say: Say) -> Outcome:
    """Run it; what was found is in the outcome, whatever that is."""
    outcome = Outcome(options)
    began = monotonic()
    say(f"starting PostgreSQL, {options.brokers} x Apache Kafka and the services in {home.path}")
    async with running(home, broker_count=options.brokers, wrapper=wrapper) as platform, _eyes(platform) as eyes:
        say(f"ready after {monotonic() - began:.0f} s: {len(platform.processes)} processes")
        await _Play(platform, eyes, outcome, say).perform()
    return outcome


@asynccontextmanager
async def _eyes(platform: Platform) -> AsyncIterator[Eyes]:
    eyes = Eyes(platform)
    try:
        yield eyes
    finally:
        await eyes.close()


class _Play:
    """The players of one run."""

    def __init__(self, platform: Platform, eyes: Eyes, outcome: Outcome, say: Say) -> None:
        self._platform = platform
        self._eyes = eyes
        self._outcome = outcome
        self._options = outcome.options
        self._say = say
        self._ledger = outcome.ledger
        self._began = monotonic()
        self._patience = Patience()
        self._rested_at = real_now()

    async def perform(self) -> None:
        """Set up, load and break, rest, reconcile."""
        platform, ledger, seed = self._platform, self._ledger, self._options.seed
        wires = {service: Wire(url, connections=64) for service, url in platform.urls.items()}
        managers = (
            Caller(wires[service], platform.key("manager"), Patience(monotonic() + PATIENCE)) for service in ("tickets", "feedback")
        )
        keys = await department.set_up(platform, *managers)
        replaying.raise_flag(platform)
        self._began = monotonic()
        story = Story(Random(f"{seed}/story"), ledger, f"c{seed}")
        load = Load(Caller(wires["intake"], platform.key("bot"), self._patience), story, ledger, f"{seed}/load")
        staff = Staff(wires["tickets"], keys, platform.key("lead"), self._patience)
        cases = Cases(staff, load, story, ledger, Random(f"{seed}/cases"), WORKED)
        mailbox = Mailbox(platform.home.path / "mail")
        customers = Caller(wires["feedback"], "", self._patience)
        late_until = self._began + self._options.seconds + LATE_FOR
        surveys = Surveys(mailbox, customers, ledger, Random(f"{seed}/surveys"), late_until=late_until)
        telling = asyncio.ensure_future(self._tell())
        watching = asyncio.ensure_future(self._watch_outbox())
        reading = asyncio.ensure_future(surveys.run())
        try:
            await asyncio.gather(load.run(self._options.rate, self._options.seconds, cases.opened), self._break(), self._replay_midway())
            await ended(watching)
            self._tell_once("load and faults are over")
            # at the same time: somebody may be waiting for the ticket of a request that is parked
            await asyncio.gather(cases.finish(), self._replay(self._options.patience))
            await self._replay(self._options.patience)
            await self._rest(surveys, reading)
            await ended(telling)
            await self._reconcile()
        finally:
            for task in (reading, telling, watching):
                task.cancel()
            for wire in wires.values():
                wire.close()

    async def _break(self) -> None:
        options = self._options
        if options.faults:
            strikes = plan(options.seed, options.seconds, options.faults, options.brokers)
            self._outcome.struck = await campaign(self._platform, strikes, options.seed, self._tell_struck)
        self._patience.until = max(monotonic(), self._began + options.seconds) + options.patience

    async def _replay_midway(self) -> None:
        await asyncio.sleep(self._options.seconds * REPLAY_AT)
        await self._replay(self._options.seconds * 0.3)
        self._tell_once("what was parked has been replayed")
        replaying.raise_flag(self._platform)

    async def _replay(self, seconds: float) -> None:
        await replaying.replay_all(self._platform, self._eyes, self._ledger, monotonic() + seconds)

    async def _rest(self, surveys: Surveys, reading: asyncio.Task[None]) -> None:
        """Rest is: everything applied, nothing overdue. Then nobody answers any more, then no timer rings any more, and all can be read."""
        began = monotonic()
        outstanding = await self._quiet(overdue=True)
        if not outstanding:
            self._outcome.quiet_after = monotonic() - began
            self._tell_once(f"quiet after {self._outcome.quiet_after:.1f} s")
            await ended(reading)
            await surveys.finish()
            outstanding = await self._quiet(overdue=True)
            self._rested_at = real_now()
            timers = [child for child in self._platform.processes.values() if child.role == "timers"]
            await asyncio.gather(*(child.stop() for child in timers))
            outstanding = outstanding or await self._quiet(overdue=False)
        if outstanding:
            self._outcome.quiet_after = None
            self._outcome.checks.append(Check("the platform came to rest", outstanding, len(outstanding)))

    async def _quiet(self, *, overdue: bool) -> list[str]:
        return await await_quiet(self._eyes, monotonic() + self._options.patience, overdue=overdue)

    async def _reconcile(self) -> None:
        keeper = self._platform.keeper
        self._outcome.deaths = Counter(death.name for death in keeper.deaths)
        self._outcome.died_by_themselves = [f"{death.name} {death.how}" for death in keeper.deaths_by_themselves()]
        self._outcome.checks += await reconcile(World(self._platform, self._eyes, self._ledger, self._rested_at))
        self._outcome.checks += examine(self._outcome)

    async def _watch_outbox(self) -> None:
        """How old the oldest unsent event is, where nothing is broken: the promise is about such times."""
        while not self._options.faults:
            await asyncio.sleep(WATCH_EVERY)
            self._ledger.outbox_lags.append(await self._eyes.unsent_age())

    # --- telling people ---

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY)
            self._tell_once(await self._lag())

    async def _lag(self) -> str:
        try:
            standing = await self._eyes.standing()
        except AWAY as error:
            return f"the databases do not answer ({type(error).__name__})"
        self._outcome.most_behind = max(self._outcome.most_behind, standing.behind)
        return f"unsent {standing.unsent}, behind {standing.behind}, parked {standing.parked}"

    def _tell_struck(self, struck: Struck) -> None:
        self._tell_once(f"{'skipped ' if struck.skipped else ''}{struck.name}: {struck.what} ({struck.seconds:.1f} s)")

    def _tell_once(self, text: str) -> None:
        acked = len(self._ledger.by_reference)
        self._say(f"{monotonic() - self._began:6.1f} s  accepted {acked:6d}  {text}")


def examine(outcome: Outcome) -> list[Check]:
    """Whether the run itself was worth something: what was asked for happened, and what was checked was there."""
    struck = {struck.name for struck in outcome.struck if not struck.skipped}
    asked = [name for name in outcome.options.faults if name != ALL]
    found = [Check("faults asked for by name struck", [f"{name} never struck" for name in asked if name not in struck], len(asked))]
    if len(outcome.ledger.by_reference) >= ENOUGH:
        idle = [f"{check.name}: looked at nothing" for check in outcome.checks if check.is_vacuous]
        found.append(Check("each check had something to look at", idle, len(outcome.checks)))
    return found


def wrappers(mutant: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """What stands before each service: poison where handlers are to refuse, and the mutant's own."""
    poisoned = dict.fromkeys(poison.SERVICES, poison.WRAPPER)
    return {service: (*poisoned.get(service, ()), *mutant.get(service, ())) for service in {*poisoned, *mutant}}
