"""The service department of a chaos run: teams, agents with keys, and promises so short that timers have much to do."""

from __future__ import annotations

from typing import Any, Final

from shared import auth
from shared.database import Database
from tests.chaos.platform import Platform
from tests.chaos.wire import Caller

TEAMS: Final[tuple[dict[str, Any], ...]] = (
    {"id": "service-desk", "name": "Service desk"},
    {"id": "repairs", "name": "Repairs", "types": ["repair", "technical_support"], "distribution": "by_hand"},
    {"id": "complaints", "name": "Complaints", "types": ["complaint"]},
)
AGENTS: Final = {
    "chaos-1": ["service-desk"],
    "chaos-2": ["service-desk", "complaints"],
    "chaos-3": ["complaints"],
    "chaos-4": ["repairs"],
    "chaos-5": ["repairs", "service-desk"],
}
PROMISES: Final = {"repair": (8, 8, 20), "complaint": (4, 4, 12), "enquiry": (8, 6, 15)}
"""Seconds to first response, next response and resolution, by type; other types keep the promises of the house."""

SHORT_LIVED: Final = "email"
"""The channel whose surveys may be answered for a minute, the least that the platform allows: there customers come too late."""
SURVEYS: Final[dict[str, Any]] = {
    "delay": {"usual": "PT2S", "by_channel": {"chat": "PT0S"}},
    "lifetime": {"usual": "P7D", "by_channel": {SHORT_LIVED: "PT1M"}},
    "reminder_after": "PT1M",
    "quiet": "PT0S",
    "quiet_relationship": "PT0S",
    "strata": [],
}
"""Everybody is asked after every resolution, some by a timer, and reminded after a minute."""


class NotSetUp(Exception):
    """The platform refused what the run needs."""


async def set_up(platform: Platform, manager: Caller, surveyor: Caller) -> dict[str, str]:
    """Make them through REST, as manager of tickets and of feedback; `{agent: key}`."""
    answer = await surveyor.send("PUT", "/v1/survey-rules", SURVEYS, match='"0"')
    _require(answer.status == 200, f"survey rules: {answer.status} {answer.body!r}")
    for team in TEAMS:
        await _create(manager, "/v1/teams", team)
    for agent, teams in AGENTS.items():
        await _create(manager, "/v1/agents", {"id": agent, "name": agent, "teams": teams})
        answer = await manager.send("PUT", f"/v1/agents/{agent}/presence", {"presence": "present"})
        _require(answer.status in {200, 204, 409}, f"presence of {agent}: {answer.status} {answer.body!r}")
    for kind, (first, following, resolution) in PROMISES.items():
        body = {
            "type": kind,
            "first_response_seconds": first,
            "next_response_seconds": following,
            "resolution_seconds": resolution,
            "escalations": [{"reason": "sla_breached", "level": 1}],
        }
        answer = await manager.send("PUT", f"/v1/policies/chaos-{kind}", body, match='"0"')
        _require(answer.status == 200, f"policy of {kind}: {answer.status} {answer.body!r}")
    return await _keys(platform)


async def _create(manager: Caller, path: str, body: dict[str, Any]) -> None:
    answer = await manager.send("POST", path, body, key=f"{path}-{body['id']}")
    _require(answer.status in {200, 201}, f"{path} {body['id']}: {answer.status} {answer.body!r}")


async def _keys(platform: Platform) -> dict[str, str]:
    made = {agent: auth.new_key(role=auth.Role.AGENT, principal=agent) for agent in AGENTS}
    for service in platform.urls:
        database = Database(platform.postgres.dsn(service), pool_size=2, application_name="chaos")
        try:
            async with database.transaction() as tx:
                for _, row in made.values():
                    await auth.store_key(tx, row)
        finally:
            await database.close()
    return {agent: text for agent, (text, _) in made.items()}


def _require(is_done: bool, otherwise: str) -> None:
    if not is_done:
        raise NotSetUp(otherwise)
