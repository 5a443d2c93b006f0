"""History that people can read: sentences in three languages, and what each step changed."""

from __future__ import annotations

import string
from typing import Final

import httpx
import pytest

from services.tickets.language.codes import LISTS, STATUS, STEP, TYPE
from services.tickets.language.customers import EXPECTED
from services.tickets.language.customers import STATUS as FOR_CUSTOMERS
from services.tickets.language.sentences import ACTORS, SENTENCES
from services.tickets.workflow.changes import NAMES
from services.tickets.workflow.status import Status
from services.tickets.workflow.steps import STEPS
from shared.auth import Role
from shared.events.codes import RequestType
from tests.tickets.calls import must, opened
from tests.tickets.conftest import Door

LANGUAGES: Final = {"zh-CN": 0, "zh-TW": 1, "en": 2}


@pytest.mark.postgres
@pytest.mark.api
async def test_each_step_is_a_sentence_with_what_it_changed(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door, type="repair", channel="web")
    await must(agent, number, ("triage", {"priority": "high"}), ("take", {"team": "north"}), ("start", {}), ("note", {"text": "x"}))

    answer = await agent.get(f"/v1/tickets/{number}/history", headers={"Accept-Language": "en"})

    items = answer.json()["items"]
    assert answer.headers["Content-Language"] == "en"
    assert [item["sentence"] for item in items] == [
        "The customer asked for help by the website.",
        "agent-1 set type repair, priority high.",
        "Given to agent-1 (taken).",
        "agent-1 changed the status from assigned to in progress.",
        "agent-1 wrote an internal note.",
    ]
    assert [(each["field"], each["before"], each["after"]) for each in items[1]["differences"]] == [
        ("status", "new", "triaged"),
        ("priority", "normal", "high"),
    ]
    assert [each["field"] for each in items[2]["differences"]] == ["status", "team", "assignee"]
    assert items[4]["differences"] == []


@pytest.mark.postgres
@pytest.mark.api
@pytest.mark.parametrize(
    ("language", "sentence"), [("zh-CN", "lead-1确认已解决。"), ("zh-TW", "lead-1確認已解決。"), ("de", "lead-1确认已解决。")]
)
async def test_it_is_read_in_the_readers_language(door: Door, language: str, sentence: str) -> None:
    lead = await door.caller(Role.LEAD)
    number = await opened(door)
    await must(lead, number, ("take", {}), ("resolve", {"resolution_code": "repaired"}), ("confirm", {}))

    items = (await lead.get(f"/v1/tickets/{number}/history", headers={"Accept-Language": language})).json()["items"]

    assert items[-1]["sentence"] == sentence


@pytest.mark.postgres
@pytest.mark.api
async def test_a_page_knows_what_was_before_it(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)
    await must(agent, number, ("take", {}), ("start", {}))

    first = (await agent.get(f"/v1/tickets/{number}/history?limit=2")).json()
    second = (await agent.get(f"/v1/tickets/{number}/history?limit=2&cursor={first['next_cursor']}")).json()

    assert second["items"][0]["differences"] == [{"field": "status", "before": "assigned", "after": "in_progress"}]


@pytest.mark.pure
def test_every_fact_has_a_sentence() -> None:
    assert set(NAMES.values()) - set(SENTENCES) == set()


@pytest.mark.pure
@pytest.mark.parametrize("name", sorted(SENTENCES))
def test_each_sentence_says_the_same_in_every_language(name: str) -> None:
    fields = [{field for _, field, _, _ in string.Formatter().parse(words) if field} for words in SENTENCES[name]]

    assert fields[0] == fields[1] == fields[2]


@pytest.mark.pure
def test_every_code_of_ours_has_words_in_every_language() -> None:
    assert set(STATUS) == set(FOR_CUSTOMERS) == {str(status) for status in Status}
    assert set(TYPE) == {str(kind) for kind in RequestType}
    assert {step for steps in STEPS.values() for step in steps} <= set(STEP)
    lists = [*LISTS.values(), SENTENCES, ACTORS, FOR_CUSTOMERS, EXPECTED]
    assert all(len(words) == len(LANGUAGES) and all(words) for words_of in lists for words in words_of.values())
