"""Customers who find a survey in their mail: most answer, some twice, some when it is too late, some never."""

from __future__ import annotations

import asyncio
from datetime import datetime
from random import Random
from typing import Any, Final

from deploy.demo.mailbox import Mailbox
from shared.clock import monotonic, real_now
from tests.chaos.ledger import Given, Ledger
from tests.chaos.tasks import Tasks
from tests.chaos.wire import Answer, Caller, GaveUp

LOOK: Final = 0.5
"""Seconds between two looks at the mail."""
LATE: Final = 1.0
"""Seconds after its expiry at which a late answer is sent."""
LONGEST: Final = 65.0
"""Seconds that somebody waits for his survey to expire: those of the channel whose surveys live for a minute, and of no other."""


class Surveys:
    """Reads the mail until cancelled."""

    def __init__(self, mailbox: Mailbox, caller: Caller, ledger: Ledger, random: Random, *, late_until: float) -> None:
        """``late_until``: nobody waits longer (monotonic) for a survey to expire; the first who can does, or a run proves less."""
        self._late_until = late_until
        self._mailbox = mailbox
        self._caller = caller
        self._ledger = ledger
        self._random = random
        self._seen: set[str] = set()
        self._tasks = Tasks(ledger)
        self._chosen: set[str] = set()

    async def run(self) -> None:
        """Answer what comes."""
        while True:
            for mail in self._mailbox.new():
                token = mail.survey_token
                if token is not None and token not in self._seen:
                    self._seen.add(token)
                    self._tasks.start(self._react(token))
            await asyncio.sleep(LOOK)

    async def finish(self) -> None:
        """Wait for the answers on their way."""
        await self._tasks.finish()

    async def _react(self, token: str) -> None:
        try:
            await self._answer(token, self._random.random())
        except GaveUp:
            self._ledger.give_up("a survey")

    async def _answer(self, token: str, draw: float) -> None:
        if draw < 0.05:
            self._ledger.done["surveys left unanswered"] += 1
            return
        form = await self._caller.get(f"/v1/surveys/{token}")
        if form.status != 200:
            self._count("surveys found closed", form, {409, 410})
            return
        wait = (datetime.fromisoformat(form.json()["expires_at"]) - real_now()).total_seconds() + LATE
        if wait < LONGEST and self._is_chosen("late", draw < 0.15 and monotonic() + wait < self._late_until):
            await asyncio.sleep(max(0.0, wait))
            self._count("surveys answered late", await self._send(token, self._fill_in(form.json()["questions"])), {409, 410})
            return
        await asyncio.sleep(self._random.expovariate(1.0))
        given = self._fill_in(form.json()["questions"])
        answer = await self._send(token, given)
        if answer.status == 201:
            self._ledger.answers[token] = Given(given)
            self._ledger.done["surveys answered"] += 1
            if self._is_chosen("again", draw < 0.3):
                await self._answer_again(token, form.json())
        else:
            self._count("surveys closed meanwhile", answer, {409, 410})

    async def _answer_again(self, token: str, form: dict[str, Any]) -> None:
        """The first answer is final."""
        answer = await self._send(token, self._fill_in(form["questions"]))
        self._count("surveys answered again", answer, {409})

    async def _send(self, token: str, given: dict[str, Any]) -> Answer:
        key = f"survey-{self._random.getrandbits(96):024x}"
        try:
            return await self._caller.send("POST", f"/v1/surveys/{token}/answers", {"answers": given}, key=key)
        except GaveUp:
            self._ledger.unseen_answers += 1
            raise

    def _is_chosen(self, what: str, by_lot: bool) -> bool:
        """Whoever the lot falls on, and the first who can: each run has one."""
        is_first = what not in self._chosen
        self._chosen.add(what)
        return is_first or by_lot

    def _count(self, what: str, answer: Answer, right: set[int]) -> None:
        self._ledger.done[what] += 1
        if answer.status not in right:
            self._ledger.wrong.append(f"{what}: answered {answer.status} {answer.body[:200]!r}")

    def _fill_in(self, questions: list[dict[str, Any]]) -> dict[str, Any]:
        random = self._random
        found: dict[str, Any] = {}
        for question in questions:
            match question["id"], question["type"]:
                case "Q0", _:
                    found["Q0"] = random.choices((1, 2, 3, 4, 5), (3, 4, 10, 33, 50))[0]
                case "N1", _:
                    found["N1"] = random.randrange(11)
                case "Y1", _:
                    found["Y1"] = random.choices(("yes", "partly", "no"), (80, 13, 7))[0]
                case name, "rating":
                    found[name] = random.randrange(1, 6)
        return found
