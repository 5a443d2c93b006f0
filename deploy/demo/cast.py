"""Who works here: teams and people with their keys. Set up through REST; what is there already stays."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import httpx

from deploy.commands import keys
from deploy.demo.client import Api
from deploy.demo.staff import Colleague
from deploy.demo.stage import Stage
from shared.auth import Role

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


class NotSetUp(Exception):
    """The platform refused what the demo needs."""


async def set_up(stage: Stage, client: httpx.AsyncClient, waits: Counter[str]) -> list[Colleague]:
    """Teams, people and their keys; the people.

    Raises:
        NotSetUp: the platform refuses something.
    """
    manager = Api(client, stage.urls, stage.key("manager"), waits)
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
