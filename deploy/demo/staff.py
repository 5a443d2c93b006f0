"""The people of the service department: come and go, work on what they are given, ask, solve; a lead joins what is one matter."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final

from deploy.demo import texts
from deploy.demo.client import Api
from deploy.demo.ledger import Ledger
from deploy.demo.story import Matter
from deploy.demo.times import Times
from shared.events.codes import Locale

SHIFT: Final = (time(9), time(21))
"""When somebody is there, every day."""
IDLE: Final = timedelta(minutes=10)
"""Between two looks at the list of one's own tickets."""
UNNOTICED: Final = timedelta(hours=30)
"""After so much time somebody notices what was overlooked."""
LOOK: Final = timedelta(minutes=10)
"""Between two looks of the lead."""
AT_ONCE: Final = 6
"""Tickets that one has in hand at once; chats and calls alternate."""
WORKED_ON: Final = ("assigned", "in_progress")


@dataclass(frozen=True)
class Colleague:
    """Somebody with a key of his own."""

    id: str
    api: Api


class Desk:
    """What one colleague does, day by day."""

    def __init__(self, who: Colleague, times: Times, ledger: Ledger) -> None:
        self._who = who
        self._times = times
        self._ledger = ledger
        self._in_hand: set[str] = set()

    async def work(self) -> None:
        """Until cancelled: by day at work, by night not."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                if self._is_shift(self._times.now()):
                    await self._be("present")
                    while self._is_shift(self._times.now()):
                        await self._begin(tasks)
                        await self._times.pass_by(IDLE)
                    await self._be("offline")
                await self._times.until(self._next_shift())

    def _is_shift(self, now: datetime) -> bool:
        return SHIFT[0] <= now.time() < SHIFT[1]

    def _next_shift(self) -> datetime:
        now = self._times.now()
        begin = now.replace(hour=SHIFT[0].hour, minute=0, second=0, microsecond=0)
        return begin if begin > now else begin + timedelta(days=1)

    async def _be(self, presence: str) -> None:
        await self._who.api.send("PUT", "tickets", f"/v1/agents/{self._who.id}/presence", {"presence": presence})

    async def _begin(self, tasks: asyncio.TaskGroup) -> None:
        """Begin with the oldest of what is his, as far as he can do several things at once."""
        listed = await self._who.api.get("tickets", "/v1/tickets", assignee=self._who.id, status=list(WORKED_ON), limit=50)
        tickets = listed.json()["items"] if listed.status_code == 200 else []
        for ticket in sorted(tickets, key=lambda ticket: str(ticket["opened_at"])):
            matter = self._ledger.accepted.get(ticket["number"])
            if len(self._in_hand) < AT_ONCE and ticket["number"] not in self._in_hand and not self._is_overlooked(matter, ticket):
                self._in_hand.add(ticket["number"])
                tasks.create_task(self._handle(ticket, matter))

    def _is_overlooked(self, matter: Matter | None, ticket: dict[str, Any]) -> bool:
        if matter is None or not matter.is_slow or ticket["status"] != "assigned":
            return False
        return self._times.now() - datetime.fromisoformat(ticket["opened_at"]) < UNNOTICED

    async def _handle(self, ticket: dict[str, Any], matter: Matter | None) -> None:
        try:
            await self._solve(Grip(self._who.api, self._ledger, ticket["number"], ticket["version"]), ticket, matter)
        except Refused:
            pass  # somebody else did something with it: it comes up again if it is still his
        finally:
            self._in_hand.discard(ticket["number"])

    async def _solve(self, grip: Grip, ticket: dict[str, Any], matter: Matter | None) -> None:
        words = texts.ANSWERS[Locale(ticket["locale"])]
        if ticket["status"] == "assigned":
            await grip.act("reply", text=words["first"])
            if ticket["episode"] == 0:
                await grip.act("triage", priority=_priority(ticket), **({} if ticket["type"] else {"type": "enquiry"}))
            await grip.act("start")
            if matter is not None and matter.details is not None and ticket["episode"] == 0:
                await grip.act("reply", text=words["ask"])
                await grip.act("wait", on="customer")
                return
        await self._times.pass_by(timedelta(minutes=30) if matter is None else matter.work)
        await grip.act("reply", text=words["solve"])
        await grip.act("resolve", resolution_code=_solution(ticket))
        self._ledger.done["resolutions"] += 1


class Refused(Exception):
    """The action may not be taken any more."""


class Grip:
    """A ticket in somebody's hands: knows the version that he saw last."""

    def __init__(self, api: Api, ledger: Ledger, number: str, version: int) -> None:
        self._api = api
        self._ledger = ledger
        self._path = f"/v1/tickets/{number}"
        self._seen = f'"{version}"'

    async def act(self, action: str, **params: Any) -> None:
        """Do it with the ticket as it is now.

        Raises:
            Refused: it may not be done.
        """
        for _ in range(5):
            answer = await self._api.post("tickets", f"{self._path}/actions", {"action": action, "params": params}, match=self._seen)
            if answer.status_code == 200:
                self._seen = answer.headers["etag"]
                self._ledger.done["actions"] += 1
                return
            if answer.status_code != 412:
                break
            # something happened to it meanwhile: look again
            self._seen = (await self._api.get("tickets", self._path)).headers["etag"]
        self._ledger.refused[f"{action}: {answer.json().get('code', answer.status_code)}"] += 1
        raise Refused(action)


class Lead:
    """Sees what the rules cannot see: that two tickets are one matter."""

    def __init__(self, api: Api, times: Times, ledger: Ledger) -> None:
        self._api = api
        self._times = times
        self._ledger = ledger
        self._seen: set[str] = set()

    async def work(self) -> None:
        """Until cancelled, look several times an hour."""
        while True:
            for reference, matter in list(self._ledger.accepted.items()):
                first = self._ledger.first[matter.number]
                if reference not in self._seen and reference != first:
                    self._seen.add(reference)
                    await self._join(reference, first)
            await self._times.pass_by(LOOK)

    async def _join(self, number: str, into: str) -> None:
        """Merge a ticket that a second message opened into the first one, if it did and both are open."""
        child, root = await self._find(number), await self._find(into)
        if child is None or root is None or child["number"] == root["number"]:
            return
        try:
            await Grip(self._api, self._ledger, child["number"], child["version"]).act("merge", into=root["number"])
        except Refused:
            return  # one of them has been finished meanwhile
        self._ledger.done["merges"] += 1

    async def _find(self, reference: str) -> dict[str, Any] | None:
        for _ in range(20):
            answer = await self._api.get("tickets", f"/v1/tickets/{reference}")
            if answer.status_code == 200:
                ticket: dict[str, Any] = answer.json()
                return ticket
            await asyncio.sleep(0.1)
        return None


def _priority(ticket: dict[str, Any]) -> str:
    return "high" if ticket["type"] == "complaint" or ticket["tier"] == "vip" else "normal"


def _solution(ticket: dict[str, Any]) -> str:
    return {"repair": "repaired", "refund": "refunded", "return": "returned", "installation": "installed"}.get(ticket["type"], "answered")
