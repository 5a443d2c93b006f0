"""Key figures: as the service answers them = recomputed from the event log = computed here from the ledger, by arithmetic of its own."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from shared.clock import monotonic, real_now
from tests.chaos.ledger import Ledger
from tests.chaos.reconcile.accepted import REQUESTS, acknowledged_actions, unseen_actions
from tests.chaos.reconcile.check import World
from tests.chaos.reconcile.effects import INVITATIONS
from tests.chaos.wire import Caller, Patience, Wire

RANGE: Final = timedelta(days=2)
PATIENCE: Final = 30.0
LOW: Final = 2


Found = tuple[int, Iterable[str]]


async def recomputed(world: World) -> Found:
    """`aftercare kpi verify` finds every row of every figure again in the event log."""
    _, said = await world.platform.command_code("kpi", "verify", "--json")
    if "{" not in said:
        return 0, [f"no proof, but: {said[-500:]}"]
    proof: dict[str, Any] = json.loads(said[said.index("{") :])
    return proof["rows"], [f"{each}" for each in proof["differences"]]


@dataclass(frozen=True)
class Figure:
    """What the ledger says about one figure."""

    kpi: str
    n: int
    numerator: int | None = None


async def from_ledger(world: World) -> Found:
    """The figures that the world outside can reckon by itself come out as it reckons them."""
    expected = list(figures(world.ledger, await _unseen(world), await unseen_actions(world), await _resolutions(world)))
    answered = await _answered(world)
    found = []
    for figure in expected:
        item = answered.get(figure.kpi, {"n": 0, "numerator": 0})
        if item["n"] != figure.n or (figure.numerator is not None and item["numerator"] != figure.numerator):
            found.append(f"{figure.kpi} is {item['numerator']} of n = {item['n']}, by the ledger {figure.numerator} of n = {figure.n}")
    return len(expected), found


async def from_feedback(world: World) -> Found:
    """The response rate counts feedback's own surveys."""
    rows = await world.rows("feedback", INVITATIONS)
    asked = [row for row in rows if row["purpose"] == "survey" and row["invited_at"] and not row["cancelled_at"]]
    item = (await _answered(world)).get("survey_response_rate", {"n": 0, "numerator": 0})
    wanted = len(asked), sum(row["answered_at"] is not None for row in asked)
    found = (
        []
        if (item["n"], item["numerator"]) == wanted
        else [f"survey_response_rate counts {item['numerator']} of {item['n']}, feedback {wanted}"]
    )
    return len(asked), found


def figures(
    ledger: Ledger, unseen: AbstractSet[int], unseen_acts: Counter[tuple[str, str]], resolutions: Mapping[bytes, tuple[str, int]]
) -> Iterator[Figure]:
    """By arithmetic over what was acknowledged.

    Args:
        unseen: entries that were accepted although their acknowledgement was never seen.
        unseen_acts: how often which action happened to which ticket although its acknowledgement was never seen.
        resolutions: (ticket, episode) that a survey is about, by the SHA-256 of its token.
    """
    accepted = [entry for entry in ledger.entries.values() if entry.is_acknowledged or entry.number in unseen]
    acts = acknowledged_actions(ledger) + unseen_acts
    merged = {number for number, name in acts if name == "merge"}
    resolved = sum(count for (_, name), count in acts.items() if name == "resolve")
    replied = {number for number, name in acts if name == "reply"}
    yield Figure("requests", len(accepted))
    yield Figure("tickets_opened", sum(entry.opens for entry in accepted) - len(merged))
    yield Figure("tickets_resolved", resolved)
    yield Figure("first_response_time", len(replied - merged))
    low = {resolutions[digest(token)] for token, given in ledger.answers.items() if is_low(given.answers)}
    yield Figure("reopen_rate", resolved, len(low | ledger.reopened))
    scores = [given.answers["Q0"] for given in ledger.answers.values() if "Q0" in given.answers]
    yield Figure("csat_mean", len(scores), sum(scores))
    yield Figure("csat_top2", len(scores), sum(score >= 4 for score in scores))
    marks = [given.answers["N1"] for given in ledger.answers.values() if "N1" in given.answers]
    yield Figure("nps", len(marks), sum(mark >= 9 for mark in marks) - sum(mark <= 6 for mark in marks))


def is_low(answers: Mapping[str, Any]) -> bool:
    """Whether the customer says that the solution did not hold."""
    return answers.get("Y1") == "no" or answers.get("Q0", LOW + 1) <= LOW


def digest(token: str) -> bytes:
    """As feedback keeps it."""
    return hashlib.sha256(token.encode()).digest()


async def _unseen(world: World) -> set[int]:
    rows = await world.rows("intake", REQUESTS)
    return {row["entry"] for row in rows if (entry := world.ledger.entries.get(row["entry"])) and not entry.is_acknowledged}


async def _resolutions(world: World) -> dict[bytes, tuple[str, int]]:
    rows = await world.rows("feedback", INVITATIONS)
    return {
        bytes(row[name]): (row["ticket_number"], row["episode"]) for row in rows for name in ("token_hash", "reminder_hash") if row[name]
    }


async def _answered(world: World) -> dict[str, dict[str, Any]]:
    wire = Wire(world.platform.urls["metrics"], connections=1)
    caller = Caller(wire, world.platform.key("manager"), Patience(monotonic() + PATIENCE))
    now = real_now()
    begin, end = (moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (now - RANGE, now + RANGE))
    answer = await caller.get(f"/v1/kpis?from={begin}&to={end}")
    wire.close()
    if answer.status != 200:
        raise RuntimeError(f"GET /v1/kpis: {answer.status} {answer.body!r}")
    return {item["kpi"]: item for item in answer.json()["items"]}
