"""What came of the demo, as the platform itself says it: counts, key figures, and the proof that they are right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from rich.console import Console
from rich.table import Column, Table

from deploy.commands.lag import lag, outbox_status
from deploy.commands.places import SERVICES, database_of
from deploy.demo.client import Api
from deploy.demo.ledger import Ledger
from services.metrics.commands import prove
from shared.clock import monotonic

QUIET_TIME: Final = 120.0
"""Seconds that the platform may take to carry everything to the figures."""
NEEDED: Final = ("joined", "reopened", "breached", "throttled", "merged", "low-rated")
"""What must have happened at least once, or the demo has shown too little."""


class NotQuiet(Exception):
    """Events were still under way after the time that they may take."""


@dataclass(frozen=True)
class Outcome:
    """The result. ``happened`` counts by name; ``figures`` are items of ``/v1/kpis``."""

    happened: dict[str, int]
    figures: list[dict[str, Any]]
    lost: list[str]
    """References that were given and are no ticket's."""
    parked: int
    differences: int
    events: int

    @property
    def missing(self) -> list[str]:
        """What should have happened and did not."""
        return [name for name in NEEDED if self.happened[name] == 0]

    @property
    def passed(self) -> bool:
        return not (self.missing or self.lost or self.parked or self.differences)


async def await_quiet() -> None:
    """Wait until every event that was accepted has had its effect everywhere.

    Raises:
        NotQuiet: it takes too long.
    """
    deadline = monotonic() + QUIET_TIME
    while True:
        behind = sum(row["behind"] for row in await lag(all_logs=False))
        unsent = sum(row["unsent"] for row in await outbox_status(list(SERVICES)))
        if behind == 0 and unsent == 0:
            return
        if monotonic() > deadline:
            raise NotQuiet(f"{unsent} events unsent and {behind} unapplied after {QUIET_TIME:.0f} s: see `aftercare doctor`")
        await asyncio.sleep(0.3)


async def look(api: Api, ledger: Ledger, start: datetime, end: datetime, zone: str) -> Outcome:
    """Ask the platform what happened between two moments, and prove it."""
    invitations = [item async for item in _every(api, "feedback", "/v1/invitations", **{"from": start.isoformat(), "to": end.isoformat()})]
    figures = await _figures(api, start, end, zone)
    by_id = {item["kpi"]: item for item in figures}
    led_to = await _tickets(api, list(ledger.accepted))
    tickets = list({ticket["number"]: ticket for ticket in led_to.values() if ticket is not None}.values())
    rows = await lag(all_logs=False)
    async with database_of("metrics") as database:
        proof = await prove(database)
    answered = [item["answer"] for item in invitations if item["answer"] is not None]
    return Outcome(
        happened={
            "messages accepted": len(ledger.accepted),
            "tickets": len(tickets),
            "joined": sum(ticket is not None and ticket["number"] != reference for reference, ticket in led_to.items()),
            "merged": sum(ticket["status"] == "merged" for ticket in tickets),
            "resolved": sum(ticket["first_resolved_at"] is not None for ticket in tickets),
            "reopened": by_id["reopen_rate"]["numerator"],
            "breached": sum(_missed(by_id[kpi]) for kpi in ("sla_first_response", "sla_next_response", "sla_resolution")),
            "invited": by_id["survey_response_rate"]["denominator"],
            "throttled": sum(item["state"] == "throttled" for item in invitations),
            "answered": len(answered),
            "low-rated": sum(answer["is_low"] for answer in answered),
            "confirmed": sum(ticket["status"] == "confirmed" for ticket in tickets),
        },
        figures=figures,
        lost=[reference for reference, ticket in led_to.items() if ticket is None],
        parked=sum(row["parked"] for row in rows),
        differences=len(proof.differences),
        events=proof.entries,
    )


def show(console: Console, outcome: Outcome, ledger: Ledger) -> None:
    """Print it as tables."""
    happened = Table("what happened", Column("how often", justify="right"), title="The days of the demo")
    for name, count in outcome.happened.items():
        happened.add_row(name, f"[red]{count}[/]" if name in outcome.missing else str(count))
    console.print(happened)
    figures = Table(Column("figure", no_wrap=True), *(Column(name, no_wrap=True) for name in ("value", "95 %", "n", "target", "verdict")))
    for item in outcome.figures:
        unit = item["unit"]
        bounds = "" if item["ci95"] is None else f"{_shown(item['ci95'][0], unit)} - {_shown(item['ci95'][1], unit)}"
        verdict = item["verdict"] or ""
        figures.add_row(item["kpi"], _shown(item["value"], unit), bounds, str(item["n"]), _shown(item["target"], unit), verdict)
    console.print(figures)
    if ledger.waits:
        console.print(f"Tried again while a service was away: {dict(ledger.waits)}", highlight=False)
    if ledger.refused:
        console.print(f"Refused, as it happens when two work at once: {dict(ledger.refused)}", highlight=False)
    console.print(
        f"{len(outcome.lost)} lost, {outcome.parked} parked; kpi verify: {outcome.differences} differences in {outcome.events} events",
        highlight=False,
    )


async def _figures(api: Api, start: datetime, end: datetime, zone: str) -> list[dict[str, Any]]:
    answer = await api.get(
        "metrics", "/v1/kpis", **{"from": start.isoformat(), "to": (end + timedelta(minutes=15)).isoformat(), "zone": zone}
    )
    answer.raise_for_status()
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def _tickets(api: Api, references: list[str]) -> dict[str, dict[str, Any] | None]:
    """The ticket that each reference leads to."""
    gate = asyncio.Semaphore(16)

    async def find(reference: str) -> dict[str, Any] | None:
        async with gate:
            answer = await api.get("tickets", f"/v1/tickets/{reference}")
        found: dict[str, Any] | None = answer.json() if answer.status_code == 200 else None
        return found

    return dict(zip(references, await asyncio.gather(*map(find, references)), strict=True))


async def _every(api: Api, service: str, path: str, **params: str) -> AsyncIterator[dict[str, Any]]:
    """All items of a list, page by page."""
    cursor: str | None = None
    while True:
        answer = await api.get(service, path, limit=100, cursor=cursor, **params)
        answer.raise_for_status()
        page = answer.json()
        for item in page["items"]:
            yield item
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _missed(item: dict[str, Any]) -> int:
    return int((item["denominator"] or 0) - (item["numerator"] or 0))


def _shown(value: float | None, unit: str) -> str:
    """A figure as people write it."""
    if value is None:
        return ""
    match unit:
        case "ratio":
            return f"{value:.1%}"
        case "seconds":
            return f"{value:.0f} s" if value < 120 else f"{value / 3600:.1f} h"
        case "score 1-5":
            return f"{value:.2f}"
        case _:
            return f"{value:,.0f}"
