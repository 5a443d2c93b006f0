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
            return [text for text in self.mails() if contains in text]

        return (await eventually(look))[0]

    def mails(self) -> list[str]:
        """The texts of all mails that have come."""
        return [_text(mail) for mail in self.platform.mails_to(self.address)]

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

    async def work_on(self, number: str, *, team: str) -> None:
        """Take a new ticket and begin."""
        await self.ticket(number, "new")
        await self.act(number, "take", team=team)
        await self.act(number, "start")

    async def solve(self, number: str, *, team: str, reply: str) -> None:
        """Take a new ticket, work on it, answer the customer, resolve it."""
        await self.work_on(number, team=team)
        await self.act(number, "reply", text=reply)
        await self.act(number, "resolve", resolution_code="repaired")

    async def kpis(self, team: str | None = None, **groups: str) -> dict[str, dict[str, Any]]:
        """The key figures by id of one team, of another group, or of a part of what the team did."""
        wanted = ({} if team is None else {"team": team}) | groups
        answer = await self.get("metrics", "/v1/kpis", group_by=",".join(wanted))
        assert answer.status_code == 200, answer.text
        return {item["kpi"]: item for item in answer.json()["items"] if item["dimensions"] == wanted}

    async def request(self, reference: str) -> dict[str, Any]:
        """A request as intake shows it, with the ticket that it became or joined."""
        return _body(await self.get("intake", f"/v1/requests/{reference}"))

    async def dismiss(self, reference: str, reason: str) -> None:
        """Say that a request was none."""
        path = f"{self.platform.url('intake')}/v1/requests/{reference}/dismiss"
        _body(await self.client.post(path, headers=self._key(), json={"reason_code": reason}))

    async def file(self, customer_id: str) -> dict[str, Any]:
        """A customer's file; of one who was merged, that of whoever answers for him."""
        return _body(await self.get("intake", f"/v1/customers/{customer_id}"))

    async def change_file(self, customer_id: str, act: str = "", **fields: Any) -> dict[str, Any]:
        """Change a file as it is now, or do something with it; the file afterwards."""
        file = await self.file(customer_id)
        answer = await self.client.request(
            "POST" if act else "PATCH",
            f"{self.platform.url('intake')}/v1/customers/{customer_id}{act}",
            headers=self._key() | {"If-Match": f'"{file["version"]}"'},
            json=fields,
        )
        return _body(answer)

    async def write_policy(self, id: str, **fields: Any) -> None:
        """Promise something from now on."""
        path = f"/v1/policies/{id}"
        known = await self.get("tickets", path)
        version = known.json()["version"] if known.status_code == 200 else 0
        headers = self._key() | {"If-Match": f'"{version}"'}
        _body(await self.client.put(f"{self.platform.url('tickets')}{path}", headers=headers, json=fields))

    async def mails(self, number: str, kind: str) -> list[tuple[str, str | None]]:
        """What became of the messages of this kind about a ticket, and why."""
        found = _body(await self.get("intake", "/v1/notifications", ticket=number))
        return [(message["state"], message["reason"]) for message in found["items"] if message["kind"] == kind]

    async def tickets_of(self, customer_id: str) -> set[str]:
        """The numbers of a person's tickets."""
        found = _body(await self.get("tickets", "/v1/tickets", customer_id=customer_id))
        return {ticket["number"] for ticket in found["items"]}

    async def invitations(self, number: str) -> dict[str, str | None]:
        """How the surveys about a ticket stand, by state, with the reason of those that were not sent."""
        found = _body(await self.get("feedback", "/v1/invitations", ticket=number))
        return {invitation["state"]: invitation["reason"] for invitation in found["items"]}

    def _key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.platform.key(self.role)}"}


def cases(kpis: dict[str, dict[str, Any]], kpi: str) -> int:
    """How many cases a figure rests on; 0 as long as there is none."""
    return int(kpis.get(kpi, {}).get("n") or 0)


def numerator(kpis: dict[str, dict[str, Any]], kpi: str) -> int:
    """How many of them are meant."""
    return int(kpis.get(kpi, {}).get("numerator") or 0)


def _body(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())
