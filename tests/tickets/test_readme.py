"""The README's drawing and tables are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services import tickets
from services.tickets.consumer import READS
from services.tickets.models import tables
from services.tickets.workflow.status import PERMITTED, Role, diagram
from shared.events import contracts
from shared.events.topics import produced_by

pytestmark = pytest.mark.pure

README = (Path(tickets.__file__).parent / "README.md").read_text()


def test_the_drawing_is_the_table() -> None:
    assert f"```mermaid\n{diagram()}\n```" in README


def test_who_may_do_what_is_the_table() -> None:
    rows = [f"| {action} | {', '.join(role for role in Role if role in who)} |" for action, who in PERMITTED.items()]

    assert "\n".join(rows) in README


def test_every_table_of_its_own_is_explained() -> None:
    own = {"ticket", "told", "sla_clock", "sla_pause", "history", "message", "alias", "series", "customer"}
    own |= {"calendar", "calendar_day", "policy", "sla_edition"}
    own |= {"agent", "team", "skill", "staff_change", "assignment", "assignment_line"}
    own |= {"customer_alias", "conversation", "link", "proof", "tracking_try"}

    assert own < set(tables.metadata.tables)
    assert all(f"`{name}`" in README for name in own)


def test_every_event_that_it_can_publish_is_explained() -> None:
    types = {contract.TYPE for contract in contracts() if contract.TOPIC in produced_by("tickets")}

    assert {name for name in types if f"`{name}`" not in README} == set()


def test_the_events_that_it_reads_are_those_that_it_says() -> None:
    _, _, rest = README.partition("## Events consumed")
    section, _, _ = rest.partition("\n## ")

    assert set(re.findall(r"`([a-z_.]+\.v\d+)`", section)) == {contract.TYPE for contract in READS}
