"""Key figures: as the service answers them = recomputed from the event log = computed here from the ledger, by arithmetic of its own."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from shared.clock import monotonic, real_now
from tests.chaos.ledger import Entry, Ledger
from tests.chaos.reconcile.accepted import REQUESTS, acknowledged_actions, unseen_actions
from tests.chaos.reconcile.check import Found, World
from tests.chaos.reconcile.effects import HASHES, INVITATIONS, SURVEY, unseen_answers
from tests.chaos.wire import Caller, Patience, Wire

RANGE: Final = timedelta(days=2)
PATIENCE: Final = 30.0
LOW: Final = 2
GROUPED: Final = {"requests": "channel", "tickets_opened": "type"}
"""Figures that the ledger knows by a dimension too."""

Resolution = tuple[str, int]
"""(ticket, episode)."""
Item = Mapping[str, Any]
"""A figure as the service answers it."""


async def recomputed(world: World) -> Found:
    """`aftercare kpi verify` finds every row of every figure again in the event log."""
    _, said = await world.platform.command("kpi", "verify", "--json")
    if "{" not in said:
        return 0, [f"no proof, but: {said[-500:]}"]
    proof: dict[str, Any] = json.loads(said[said.index("{") :])
    return proof["rows"], [f"{each}" for each in proof["differences"]]


@dataclass(frozen=True)
class Figure:
    """What the ledger says about one figure, as a whole or of one group."""

    kpi: str
    n: int
    numerator: int | None = None
    group: str = ""


@dataclass(frozen=True)
class Unseen:
    """What happened although its acknowledgement was never seen."""

    entries: AbstractSet[int] = frozenset()
    """Requests that were accepted."""
    actions: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often which action happened to which ticket."""
    answers: Mapping[Resolution, Mapping[str, Any]] = field(default_factory=dict)


async def from_ledger(world: World) -> Found:
    """The figures that the world outside can reckon by itself come out as it reckons them, as a whole and by groups."""
    unseen = Unseen(await _unseen(world), await unseen_actions(world), await unseen_answers(world))
    expected = [*figures(world.ledger, unseen, await _resolutions(world)), *groups(world.ledger, unseen)]
    answered = {(item["kpi"], ""): item for item in await items(world, "")}
    for kpi, dimension in GROUPED.items():
        told = await items(world, f"&kpi={kpi}&group_by={dimension}")
        answered |= {(kpi, item["dimensions"][dimension]): item for item in told}
    named = {(figure.kpi, figure.group) for figure in expected}
    strange = [
        f"{kpi} of {group} is {item['n']}, by the ledger nothing"
        for (kpi, group), item in answered.items()
        if group != "" and item["n"] and (kpi, group) not in named
    ]
    return len(expected), [*strange, *(wrong for figure in expected if (wrong := _unlike(figure, answered)))]


def _unlike(figure: Figure, answered: Mapping[tuple[str, str], Item]) -> str | None:
    item = answered.get((figure.kpi, figure.group), NOTHING)
    if item["n"] == figure.n and figure.numerator in (None, item["numerator"]):
        return None
    name = f"{figure.kpi} of {figure.group}" if figure.group else figure.kpi
    return f"{name} is {item['numerator']} of n = {item['n']}, by the ledger {figure.numerator} of n = {figure.n}"


NOTHING: Final[Item] = {"n": 0, "numerator": 0}


async def from_feedback(world: World) -> Found:
    """The response rate counts feedback's own surveys."""
    rows = await world.rows("feedback", INVITATIONS)
    asked = [row for row in rows if row["purpose"] == SURVEY and row["invited_at"] and not row["cancelled_at"]]
    item = next((item for item in await items(world, "") if item["kpi"] == "survey_response_rate"), NOTHING)
    wanted = len(asked), sum(row["answered_at"] is not None for row in asked)
    is_right = (item["n"], item["numerator"]) == wanted
    return len(asked), [] if is_right else [f"survey_response_rate counts {item['numerator']} of {item['n']}, feedback {wanted}"]


def figures(ledger: Ledger, unseen: Unseen, resolutions: Mapping[bytes, Resolution]) -> Iterator[Figure]:
    """By arithmetic over what was acknowledged. ``resolutions``: what a survey is about, by the SHA-256 of its token."""
    accepted, acts = _accepted(ledger, unseen), _acts(ledger, unseen)
    resolved = sum(count for (_, name), count in acts.items() if name == "resolve")
    merged = _merged(ledger, unseen)
    yield Figure("requests", len(accepted))
    yield Figure("tickets_opened", sum(entry.opens for entry in accepted) - len(merged))
    yield Figure("tickets_resolved", resolved)
    yield Figure("first_response_time", len({number for number, name in acts if name == "reply"} - merged))
    seen = [(resolutions[digest(token)], given.answers) for token, given in ledger.answers.items()]
    answers = [*seen, *unseen.answers.items()]
    low = {resolution for resolution, given in answers if is_low(given)}
    yield Figure("reopen_rate", resolved, len(low | ledger.reopened))
    yield from _of_answers([given for _, given in answers])


def _of_answers(answers: Sequence[Mapping[str, Any]]) -> Iterator[Figure]:
    scores = [given["Q0"] for given in answers if "Q0" in given]
    yield Figure("csat_mean", len(scores), sum(scores))
    yield Figure("csat_top2", len(scores), sum(score >= 4 for score in scores))
    marks = [given["N1"] for given in answers if "N1" in given]
    yield Figure("nps", len(marks), sum(mark >= 9 for mark in marks) - sum(mark <= 6 for mark in marks))


def groups(ledger: Ledger, unseen: Unseen) -> Iterator[Figure]:
    """The same by channel and type, as they were told: nobody in a run says afterwards that a ticket is something else."""
    accepted, merged = _accepted(ledger, unseen), _merged(ledger, unseen)
    channels = Counter(entry.body["channel"] for entry in accepted)
    types = Counter(entry.body["type"] for entry in accepted if entry.opens and entry.reference not in merged)
    yield from (Figure("requests", count, group=channel) for channel, count in channels.items())
    yield from (Figure("tickets_opened", count, group=type_) for type_, count in types.items())


def _accepted(ledger: Ledger, unseen: Unseen) -> list[Entry]:
    return [entry for entry in ledger.entries.values() if entry.is_acknowledged or entry.number in unseen.entries]


def _acts(ledger: Ledger, unseen: Unseen) -> Counter[tuple[str, str]]:
    return acknowledged_actions(ledger) + unseen.actions


def _merged(ledger: Ledger, unseen: Unseen) -> set[str]:
    """Tickets that count for nothing, because they go on in another one."""
    return {number for number, name in _acts(ledger, unseen) if name == "merge"}


def is_low(answers: Mapping[str, Any]) -> bool:
    """Whether the customer says that the solution did not hold."""
    return answers.get("Y1") == "no" or answers.get("Q0", LOW + 1) <= LOW


def digest(token: str) -> bytes:
    """As feedback keeps it."""
    return hashlib.sha256(token.encode()).digest()


async def _unseen(world: World) -> set[int]:
    rows = await world.rows("intake", REQUESTS)
    return {row["entry"] for row in rows if (entry := world.ledger.entries.get(row["entry"])) and not entry.is_acknowledged}


async def _resolutions(world: World) -> dict[bytes, Resolution]:
    rows = await world.rows("feedback", INVITATIONS)
    return {bytes(row[name]): (row["ticket_number"], row["episode"]) for row in rows for name in HASHES if row[name]}


async def items(world: World, query: str) -> list[Item]:
    """All figures, or those that the further ``query`` asks for."""
    wire = Wire(world.platform.urls["metrics"], connections=1)
    caller = Caller(wire, world.platform.key("manager"), Patience(monotonic() + PATIENCE))
    now = real_now()
    begin, end = (moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (now - RANGE, now + RANGE))
    answer = await caller.get(f"/v1/kpis?from={begin}&to={end}{query}")
    wire.close()
    if answer.status != 200:
        raise RuntimeError(f"GET /v1/kpis: {answer.status} {answer.body!r}")
    found: list[Item] = answer.json()["items"]
    return found
