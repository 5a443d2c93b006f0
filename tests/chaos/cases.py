"""Staff who work on tickets through REST, each ticket strictly one step after the other, and the customers who answer them.

A step that got no answer is sent again with its Idempotency-Key; one that comes too late (412) is decided anew. Only what was acknowledged
stands in the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final, NoReturn

from tests.chaos.ledger import Action, Entry, Ledger
from tests.chaos.load import Load
from tests.chaos.story import Story
from tests.chaos.tasks import Tasks
from tests.chaos.wire import Answer, Caller, GaveUp, Patience, Wire

LOOK: Final = 0.25
"""Seconds between two looks at a ticket that is waited for."""
TRIES: Final = 8
AT_ONCE: Final = 120
"""Tickets in hand at the same time."""


MOVED: Final = 409
"""Somebody else has moved the ticket meanwhile: a customer, a survey, a merge."""


class Abandoned(Exception):
    """The ticket cannot be worked on any further; what was acknowledged stays."""


@dataclass
class Staff:
    """Those who act, each with a key of his own."""

    wire: Wire
    keys: Mapping[str, str]
    """`{agent: key}`; whoever is nobody's agent is served by the lead."""
    lead: str
    patience: Patience

    def caller(self, agent: str | None) -> Caller:
        """As that agent."""
        return Caller(self.wire, self.keys.get(agent or "", self.lead), self.patience)


@dataclass
class Cases:
    """What is done with some of the tickets."""

    staff: Staff
    load: Load
    story: Story
    ledger: Ledger
    random: Random
    share: float
    """Of the requests of their own, that somebody works on."""

    def __post_init__(self) -> None:
        self._tasks = Tasks(self.ledger)

    def opened(self, entry: Entry) -> bool:
        """A request was acknowledged; whether somebody works on it from now on."""
        if self.random.random() >= self.share or len(self._tasks) >= AT_ONCE:
            return False
        stories: list[tuple[int, Callable[[Case], Awaitable[None]]]] = [
            (50, Case.solve),
            (15, Case.ask_and_solve),
            (20, Case.solve_twice),
            (15, Case.merge_and_solve),
        ]
        chosen = self.random.choices([each for _, each in stories], [weight for weight, _ in stories])[0]
        self._tasks.start(self._work(Case(self, entry), chosen))
        return True

    async def finish(self) -> None:
        """Wait for those in hand."""
        await self._tasks.finish()

    async def _work(self, case: Case, story: Callable[[Case], Awaitable[None]]) -> None:
        try:
            await story(case)
        except Abandoned as reason:
            self.ledger.done[f"case left: {reason}"] += 1
        except GaveUp as reason:
            self.ledger.give_up(str(reason))
        else:
            self.ledger.done[f"cases: {story.__name__}"] += 1


class Case:
    """One ticket in somebody's hands."""

    def __init__(self, cases: Cases, entry: Entry) -> None:
        self._cases = cases
        self._entry = entry
        self._number = str(entry.reference)
        self._seen: dict[str, Any] = {}

    async def solve(self) -> None:
        """Reply, start, resolve."""
        await self._begin()
        await self._act("start")
        await self._pause()
        await self._act("resolve", resolution_code="answered")

    async def ask_and_solve(self) -> None:
        """Wait for the customer, who answers."""
        await self._begin()
        await self._act("start")
        await self._act("wait", on="customer")
        await self._customer_writes()
        await self._until(lambda ticket: ticket["status"] == "in_progress")
        await self._act("resolve", resolution_code="answered")

    async def solve_twice(self) -> None:
        """The customer says that the solution did not hold."""
        await self.solve()
        await self._pause()
        resolution = self._number, int(self._seen["episode"])
        await self._customer_writes(reopens=resolution)
        await self._until(lambda ticket: ticket["status"] not in ("resolved", "confirmed"))
        await self._pause()
        await self._act("resolve", resolution_code="repaired")

    async def merge_and_solve(self) -> None:
        """The same customer's second ticket is merged into the first."""
        second = self._cases.story.new(customer=self._entry.customer)
        if not await self._cases.load.send(second):
            raise Abandoned("the second request was not acknowledged")
        other = Case(self._cases, second)
        await other._look()
        await self._look()
        await other._act("merge", into=self._number)
        await self.solve()

    # --- steps ---

    async def _begin(self) -> None:
        await self._look()
        if not self._seen["assignee"]:
            await self._act("take")
        await self._act("reply", text="我们正在处理。 We are on it.")

    async def _pause(self) -> None:
        await asyncio.sleep(self._cases.random.expovariate(2.0))

    async def _customer_writes(self, *, reopens: tuple[str, int] | None = None) -> None:
        """And is heard: his message is on the ticket before this returns."""
        message = self._cases.story.reply(self._entry, "还是不行。 It still does not work.")
        if not await self._cases.load.send(message):
            raise Abandoned("the customer's message was not acknowledged")
        if reopens is not None:
            self._cases.ledger.reopened.add(reopens)
        # a reference answers as its ticket from then on; a higher version alone may be somebody else's doing
        await self._until(lambda ticket: True, asked=str(message.reference))

    async def _look(self) -> None:
        await self._until(lambda ticket: True)

    async def _until(self, wanted: Callable[[dict[str, Any]], bool], *, asked: str | None = None) -> None:
        caller = self._cases.staff.caller(None)
        while not caller.patience.is_over:
            answer = await caller.get(f"/v1/tickets/{asked or self._number}")
            if answer.status == 200:
                self._seen = answer.json()
                if wanted(self._seen):
                    return
            elif answer.status != 404:
                self._refused("looking", answer)
            await asyncio.sleep(LOOK)
        raise GaveUp(f"that {asked or self._number} becomes what it should")

    async def _act(self, action: str, **params: Any) -> None:
        """Do it, once, with the ticket as it is."""
        for _ in range(TRIES):
            answer = await self._try(action, params)
            if answer.status == 200:
                self._note(action, answer.json())
                return
            if answer.status != 412:
                self._refused(action, answer)
            await self._look()
        raise Abandoned(f"{action}: always too late")

    def _refused(self, what: str, answer: Answer) -> NoReturn:
        """Raises Abandoned; and where the refusal has no reason that is right, that is a difference."""
        if answer.status != MOVED:
            self._cases.ledger.wrong.append(f"{what} on {self._number}: answered {answer.status} {answer.body[:200]!r}")
        raise Abandoned(f"{what}: {answer.reason}")

    async def _try(self, action: str, params: Mapping[str, Any]) -> Answer:
        key = f"{self._number}-{action}-{self._cases.random.getrandbits(64):016x}"
        caller = self._cases.staff.caller(self._seen["assignee"])
        match = f'"{self._seen["version"]}"'
        body = {"action": action, "params": params}
        try:
            return await caller.send("POST", f"/v1/tickets/{self._number}/actions", body, key=key, match=match)
        except GaveUp:
            self._cases.ledger.unanswered[self._number, action] += 1
            raise

    def _note(self, action: str, ticket: dict[str, Any]) -> None:
        self._seen = ticket
        ledger = self._cases.ledger
        ledger.done["actions"] += 1
        ledger.actions.append(Action(ticket["number"], action, ticket["version"]))
