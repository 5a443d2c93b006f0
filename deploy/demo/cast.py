"""Who works here: teams and people with their keys. Set up through REST; what is there already stays."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from deploy.commands import keys
from deploy.demo.client import Api
from deploy.demo.staff import Colleague
from deploy.demo.stage import Stage
from shared.auth import Role
from shared.events.codes import RequestType

TEAMS: Final[tuple[dict[str, Any], ...]] = (
    {"id": "service-desk", "name": "客户服务台"},
    {"id": "repairs", "name": "维修组", "types": ["repair", "installation", "technical_support"]},
    {"id": "complaints", "name": "投诉处理组", "types": ["complaint"]},
    {"id": "returns", "name": "退换货组", "types": ["return", "exchange", "refund"]},
)
PEOPLE: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "demo-lin": ("林静", ("service-desk",)),
    "demo-wang": ("王强", ("service-desk", "returns")),
    "demo-chen": ("陈明", ("repairs",)),
    "demo-li": ("李芳", ("repairs", "service-desk")),
    "demo-zhang": ("张伟", ("complaints",)),
    "demo-huang": ("黄丽", ("complaints", "returns")),
}


HOURS: Final = "demo-hours"
"""Id of the calendar: every day from nine to nine."""
PROMISES: Final[dict[RequestType, tuple[timedelta, timedelta, timedelta]]] = {
    RequestType.COMPLAINT: (timedelta(hours=1), timedelta(hours=4), timedelta(hours=18)),
    RequestType.REPAIR: (timedelta(hours=2), timedelta(hours=6), timedelta(hours=48)),
    RequestType.INSTALLATION: (timedelta(hours=2), timedelta(hours=6), timedelta(hours=48)),
}
"""First response, next response and resolution, in business hours."""
OTHERWISE: Final = (timedelta(hours=2), timedelta(hours=6), timedelta(hours=24))


class NotSetUp(Exception):
    """The platform refused what the demo needs."""


async def set_up(stage: Stage, client: httpx.AsyncClient, waits: Counter[str], since: datetime) -> list[Colleague]:
    """Hours and promises that hold ``since`` then, teams, people and their keys; the people.

    Raises:
        NotSetUp: the platform refuses something.
    """
    manager = Api(client, stage.urls, stage.key("manager"), waits)
    await _promise(manager, stage.environment["AFTERCARE_ZONE"], since)
    for team in TEAMS:
        await _create(manager, "/v1/teams", team)
    for id, (name, teams) in PEOPLE.items():
        await _create(manager, "/v1/agents", {"id": id, "name": name, "teams": list(teams)})
    texts, rows = keys.kept(stage.home.path / "demo-keys.json", {id: (Role.AGENT, id) for id in PEOPLE})
    await keys.store(rows)
    return [Colleague(id, Api(client, stage.urls, texts[id], waits)) for id in PEOPLE]


async def _create(manager: Api, path: str, body: dict[str, Any]) -> None:
    answer = await manager.post("tickets", path, body)
    if answer.status_code not in {200, 201, 409}:  # 409: it was there before
        raise NotSetUp(f"{path} {body['id']}: {answer.text}")


async def _promise(manager: Api, zone: str, since: datetime) -> None:
    day = [{"from": "09:00", "to": "21:00"}]
    week = dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"), day)
    await _write(manager, f"/v1/calendars/{HOURS}", {"zone": zone, "week": week, "valid_from": since.isoformat()})
    for kind in RequestType:
        first, following, resolution = PROMISES.get(kind, OTHERWISE)
        body = {
            "type": kind.value,
            "calendar": HOURS,
            "first_response_seconds": int(first.total_seconds()),
            "next_response_seconds": int(following.total_seconds()),
            "resolution_seconds": int(resolution.total_seconds()),
            "escalations": [{"reason": "sla_breached", "level": 1}],
            "valid_from": since.isoformat(),
        }
        await _write(manager, f"/v1/policies/demo-{kind.value.replace('_', '-')}", body)


async def _write(manager: Api, path: str, body: dict[str, Any]) -> None:
    """The first version of something; 412: it was written before."""
    answer = await manager.send("PUT", "tickets", path, body, match='"0"')
    if answer.status_code not in {200, 412}:
        raise NotSetUp(f"{path}: {answer.text}")
