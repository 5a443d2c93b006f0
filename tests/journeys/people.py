"""Who takes part in a journey: a customer who writes, reads his mail and answers; staff who work through REST."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Final
from urllib.parse import urljoin
from uuid import uuid4

import httpx

from tests.journeys.platform import Platform
from tests.waiting import eventually

TRACKING_LINK: Final = re.compile(r"https?://\S+/track/\S+\?t=\S+")
LINK: Final = re.compile(r"https?://\S+/s/[A-Za-z0-9_-]{32}")


@dataclass(frozen=True)
class Customer:
    """Somebody with a problem and a mailbox that nobody else has."""

    platform: Platform
    client: httpx.AsyncClient
    address: str
    locale: str

    async def write(self, text: str, **fields: Any) -> str:
        """Send a request by the web shop; its reference."""
        answer = await self.client.post(
            f"{self.platform.url('intake')}/v1/requests",
            headers={"Authorization": f"Bearer {self.platform.key('bot')}", "Idempotency-Key": str(uuid4())},
            json={"channel": "web", "customer": {"email": self.address, "locale": self.locale}, "text": text, **fields},
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["reference"])

    async def mail(self, contains: str) -> str:
        """The text of the first mail that contains this, as soon as it is there."""

        async def look() -> list[str]:
            texts = [_text(mail) for mail in self.platform.mails_to(self.address)]
            return [text for text in texts if contains in text]

        return (await eventually(look))[0]

    async def track(self, mail: str) -> str:
        """The tracking page that the link of a mail opens; the link is the proof."""
        match = TRACKING_LINK.search(mail)
        assert match is not None
        page = await self.client.get(match[0], follow_redirects=True)
        assert page.status_code == 200, page.text
        return page.text

    async def survey_link(self) -> str:
        """The link of the survey mail."""
        match = LINK.search(await self.mail("/s/"))
        assert match is not None
        return match[0]

    async def asked(self, link: str) -> set[str]:
        """The questions of the survey behind the link: N1 is asked of one half of the customers, Q5 of the other."""
        survey = await self.client.get(link.replace("/s/", "/v1/surveys/"))
        assert survey.status_code == 200, survey.text
        return {question["id"] for question in survey.json()["questions"]}

    async def answer(self, link: str, **fields: str) -> str:
        """Open the survey's page, fill the form in and send it; the page that follows."""
        page = await self.client.get(link)
        assert page.status_code == 200, page.text
        sent = await self.client.post(link, data=fields)
        assert sent.status_code == 303, sent.text
        thanks = await self.client.get(urljoin(link, sent.headers["location"]))
        assert thanks.status_code == 200
        return thanks.text


@dataclass(frozen=True)
class Staff:
    """Somebody with a key."""

    platform: Platform
    client: httpx.AsyncClient
    role: str

    async def get(self, service: str, path: str, **params: Any) -> httpx.Response:
        """Read something."""
        return await self.client.get(f"{self.platform.url(service)}{path}", params=params, headers=self._key())

    async def ticket(self, number: str, status: str) -> dict[str, Any]:
        """The ticket, as soon as it has this status."""

        async def look() -> dict[str, Any]:
            answer = await self.get("tickets", f"/v1/tickets/{number}")
            assert answer.status_code in {200, 404}, answer.text
            found: dict[str, Any] = answer.json()
            return found

        return await eventually(look, lambda ticket: ticket["status"] == status)

    async def act(self, number: str, action: str, **params: Any) -> dict[str, Any]:
        """Do something with a ticket as it is now; the ticket afterwards."""
        seen = await self.get("tickets", f"/v1/tickets/{number}")
        answer = await self.client.post(
            f"{self.platform.url('tickets')}/v1/tickets/{number}/actions",
            headers=self._key() | {"If-Match": seen.headers["etag"]},
            json={"action": action, "params": params},
        )
        assert answer.status_code == 200, answer.text
        ticket: dict[str, Any] = answer.json()
        return ticket

    async def solve(self, number: str, *, team: str, reply: str) -> None:
        """Take a new ticket, work on it, answer the customer, resolve it."""
        await self.ticket(number, "new")
        await self.act(number, "take", team=team)
        await self.act(number, "start")
        await self.act(number, "reply", text=reply)
        await self.act(number, "resolve", resolution_code="repaired")

    async def kpis(self, team: str) -> dict[str, dict[str, Any]]:
        """The key figures of one team by id."""
        answer = await self.get("metrics", "/v1/kpis", group_by="team")
        assert answer.status_code == 200, answer.text
        return {item["kpi"]: item for item in answer.json()["items"] if item["dimensions"] == {"team": team}}

    def _key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.platform.key(self.role)}"}


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())
