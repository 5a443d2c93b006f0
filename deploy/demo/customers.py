"""Customers: write, write again, answer questions, say thanks, and say how it was."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from deploy.demo import texts
from deploy.demo.client import Api
from deploy.demo.ledger import Ledger
from deploy.demo.mailbox import Mail, Mailbox
from deploy.demo.story import Customer, Matter, Story
from deploy.demo.times import Times
from shared.events.codes import Channel

LOOK: Final = 0.1
"""Seconds between two looks at the mail."""
SECOND_TIME: Final = 4
"""What somebody gives at least who was not pleased at first and whose request was taken up again."""
CONVERSATIONS: Final = frozenset({Channel.CHAT, Channel.WECHAT, Channel.LINE, Channel.PHONE})
"""Channels where messages belong to a conversation."""


class Customers:
    """All of them. ``desk`` enters what is said on the telephone and at the counter, ``channels`` is everything else."""

    def __init__(self, story: Story, times: Times, desk: Api, channels: Api, mailbox: Mailbox, ledger: Ledger) -> None:
        self._story = story
        self._times = times
        self._desk = desk
        self._channels = channels
        self._mailbox = mailbox
        self._ledger = ledger
        self._answered: set[int] = set()
        self._by_email = {customer.email: customer for customer in story.customers}

    async def write(self) -> None:
        """Send everything that the story tells, each at its time; returns when the last one is sent."""
        async with asyncio.TaskGroup() as tasks:
            for matter in self._story.matters:
                await self._times.until(matter.at)
                tasks.create_task(self._open(matter))

    async def read_mail(self) -> None:
        """Answer what comes, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                for mail in self._mailbox.new():
                    if (customer := self._by_email.get(mail.to)) is not None:
                        tasks.create_task(self._react(customer, mail))
                await asyncio.sleep(LOOK)

    async def _open(self, matter: Matter) -> None:
        await self._send(matter, matter.channel, matter.text, product=_product(matter), type=matter.type.value)
        if matter.follow_up is not None:
            await self._times.pass_by(matter.follow_up_after)
            same = matter.follow_up_channel is matter.channel
            await self._send(matter, matter.follow_up_channel, matter.follow_up, type=matter.type.value if same else None)
            self._ledger.done["second messages"] += 1

    async def _send(self, matter: Matter, channel: Channel, text: str, **fields: Any) -> None:
        by_staff = channel in {Channel.PHONE, Channel.WALK_IN}
        body = {
            "channel": channel.value,
            "customer": _contact(matter.customer, channel),
            "text": text,
            **{name: value for name, value in fields.items() if value is not None},
        }
        if channel in CONVERSATIONS:
            body["conversation_id"] = f"{channel.value}-{matter.customer.app_user_id}-{matter.number}"
        answer = await (self._desk if by_staff else self._channels).post("intake", "/v1/requests", body)
        if answer.status_code == 202:
            self._ledger.accept(matter, answer.json()["reference"])
        else:
            self._ledger.refused[f"intake {answer.json().get('code', answer.status_code)}"] += 1

    async def _react(self, customer: Customer, mail: Mail) -> None:
        matter = self._matter_of(customer, mail)
        if matter is None:
            return
        said = texts.ANSWERS[customer.locale]
        if (token := mail.survey_token) is not None:
            await self._answer(matter, token)
        elif said["ask"] in mail.text and matter.details is not None:
            await self._times.pass_by(timedelta(minutes=45))
            await self._reply(matter, matter.details, "details given")
        elif said["solve"] in mail.text and matter.thanks is not None:
            await self._times.pass_by(timedelta(minutes=20))
            await self._reply(matter, matter.thanks, "thanks said")

    def _matter_of(self, customer: Customer, mail: Mail) -> Matter | None:
        """The matter whose number the mail names."""
        for reference, matter in self._ledger.accepted.items():
            if matter.customer is customer and reference in mail.text:
                return matter
        return None

    async def _reply(self, matter: Matter, text: str, what: str) -> None:
        channel = Channel.EMAIL if matter.channel in {Channel.PHONE, Channel.WALK_IN, Channel.WEB} else matter.channel
        await self._send(matter, channel, text, in_reply_to=self._ledger.first[matter.number])
        self._ledger.done[what] += 1

    async def _answer(self, matter: Matter, token: str) -> None:
        form = await self._channels.get("feedback", f"/v1/surveys/{token}")
        if form.status_code != 200:
            self._ledger.done["surveys found closed"] += 1
            return
        if not matter.answers:
            self._ledger.done["surveys left unanswered"] += 1
            return
        await self._times.pass_by(timedelta(hours=2))
        body: dict[str, Any] = {"answers": answers(matter, form.json()["questions"], again=matter.number in self._answered)}
        self._answered.add(matter.number)
        if matter.comment is not None:
            body["comment"] = matter.comment
        answer = await self._channels.post("feedback", f"/v1/surveys/{token}/answers", body)
        if answer.status_code == 201:
            self._ledger.done["surveys answered"] += 1
        else:
            self._ledger.refused[f"feedback {answer.json().get('code', answer.status_code)}"] += 1


def answers(matter: Matter, questions: list[dict[str, Any]], *, again: bool = False) -> dict[str, Any]:
    """What he answers to the questions that he is asked; dimensions lie about the overall score. ``again``: the second solution held."""
    found: dict[str, Any] = {}
    overall = max(matter.overall, SECOND_TIME) if again else matter.overall
    for place, question in enumerate(questions):
        match question["id"]:
            case "Q0":
                found["Q0"] = overall
            case "N1":
                found["N1"] = matter.recommend
            case "Y1":
                found["Y1"] = "yes" if again else matter.solved
            case id if question["type"] == "rating":
                found[id] = max(1, min(5, overall + (matter.number + place) % 3 - 1))
    return found


def _contact(customer: Customer, channel: Channel) -> Mapping[str, str]:
    known = {"locale": customer.locale.value, "name": customer.name, "email": customer.email}
    if channel is Channel.PHONE:
        return known | {"phone": customer.phone}
    return known if channel in {Channel.EMAIL, Channel.WEB} else known | {"app_user_id": customer.app_user_id}


def _product(matter: Matter) -> dict[str, str] | None:
    named = {"model": matter.model, "serial_number": matter.serial_number, "order_number": matter.order_number}
    return {name: value for name, value in named.items() if value is not None}
