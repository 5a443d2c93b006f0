"""The `aftercare` command as an operator uses it, on real databases."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app
from shared import dead_letter, outbox
from shared.auth import Keys, Role, UnknownKey
from shared.database import Database
from shared.dead_letter import Letter
from shared.events.examples import example_of
from shared.events.intake import CustomerRegistered, RequestReceived
from shared.events.topics import INTAKE, NUMBERED
from shared.kafka.records import LogRecord
from shared.protocol import Numbered

pytestmark = pytest.mark.postgres

Command = Callable[..., Awaitable[Result]]


@pytest.fixture
def environment(
    intake_database: Database, tickets_database: Database, feedback_database: Database, metrics_database: Database, tmp_path: Path
) -> dict[str, str]:
    databases = {"INTAKE": intake_database, "TICKETS": tickets_database, "FEEDBACK": feedback_database, "METRICS": metrics_database}
    urls = {f"{name}_DATABASE_URL": database.url for name, database in databases.items()}
    return urls | {"AFTERCARE_HOME": str(tmp_path), "AFTERCARE_LOCAL": "1", "KAFKA_BOOTSTRAP_SERVERS": ""}


@pytest.fixture
def aftercare(environment: dict[str, str]) -> Command:
    """Runs the command in a thread of its own, since it brings its own event loop."""

    async def run(*arguments: str, exit_code: int = 0) -> Result:
        result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments), env=environment)
        assert result.exit_code == exit_code, result.output
        return result

    return run


async def created(aftercare: Command, role: str = "agent") -> dict[str, Any]:
    result = await aftercare("keys", "create", "--role", role, "--principal", "anna", "--json")
    key: dict[str, Any] = json.loads(result.stdout)
    return key


async def test_a_key_holds_in_all_four_services(
    aftercare: Command, intake_database: Database, tickets_database: Database, feedback_database: Database, metrics_database: Database
) -> None:
    key = await created(aftercare)

    for database in (intake_database, tickets_database, feedback_database, metrics_database):
        principal = await Keys(database).principal(f"Bearer {key['key']}")
        assert (principal.id, principal.role) == ("anna", Role.AGENT)


async def test_a_revoked_key_holds_nowhere(aftercare: Command, tickets_database: Database) -> None:
    key = await created(aftercare)

    await aftercare("keys", "revoke", key["key_id"])

    with pytest.raises(UnknownKey):
        await Keys(tickets_database).principal(f"Bearer {key['key']}")
    await aftercare("keys", "revoke", "nosuchkey234", exit_code=1)


async def test_the_list_shows_keys_and_never_their_secrets(aftercare: Command) -> None:
    key = await created(aftercare)

    listed = await aftercare("keys", "list", "--json")

    assert [(row["key_id"], row["databases"]) for row in json.loads(listed.stdout)] == [(key["key_id"], "intake tickets feedback metrics")]
    assert key["key"].rsplit("_", 1)[1] not in listed.stdout


async def test_a_scope_that_the_role_lacks_is_refused_and_nothing_is_written(aftercare: Command) -> None:
    await aftercare("keys", "create", "--role", "bot", "--principal", "b", "--scope", "ticket:act", exit_code=2)

    assert json.loads((await aftercare("keys", "list", "--json")).stdout) == []


async def test_the_local_platform_keeps_its_keys_over_restarts(aftercare: Command, tmp_path: Path, intake_database: Database) -> None:
    await aftercare("keys", "ensure-local")
    first = (tmp_path / "keys.json").read_text()

    await aftercare("keys", "ensure-local")

    assert (tmp_path / "keys.json").read_text() == first
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    assert set(json.loads(first)) == {role.value for role in Role}
    assert (await Keys(intake_database).principal(f"Bearer {json.loads(first)['lead']}")).role is Role.LEAD


async def test_databases_are_what_the_code_declares(aftercare: Command) -> None:
    assert json.loads((await aftercare("db", "check", "--json")).stdout) == []


async def test_a_missing_address_is_named(environment: dict[str, str]) -> None:
    del environment["TICKETS_DATABASE_URL"]

    result = await asyncio.to_thread(CliRunner().invoke, app, ["db", "check", "tickets"], env=environment | {"TICKETS_DATABASE_URL": ""})

    assert result.exit_code == 2
    assert "TICKETS_DATABASE_URL" in result.output


async def test_lag_and_outbox_status_start_from_nothing(aftercare: Command) -> None:
    lag = json.loads((await aftercare("lag", "--json")).stdout)
    status = json.loads((await aftercare("outbox", "status", "--json")).stdout)

    assert {(row["topic"], row["consumer"]) for row in lag} == {
        (topic.name, consumer) for topic in NUMBERED for consumer in topic.consumers
    }
    assert {row["topic"] for row in status} == {topic.name for topic in NUMBERED}
    assert {row["behind"] for row in lag} == {0} == {row["unsent"] for row in status}


async def test_an_event_that_nobody_has_sent_is_counted_as_unsent_and_behind(aftercare: Command, intake_database: Database) -> None:
    async with intake_database.transaction() as tx:
        await outbox.append(tx, [example_of(CustomerRegistered)])

    status = json.loads((await aftercare("outbox", "status", "--json")).stdout)
    lag = json.loads((await aftercare("lag", "--json")).stdout)

    assert {row["topic"]: row["unsent"] for row in status}["aftercare.intake"] == 1
    assert {row["consumer"]: row["behind"] for row in lag if row["topic"] == "aftercare.intake"} == dict.fromkeys(INTAKE.consumers, 1)


async def test_a_stopped_log_makes_the_commands_fail(aftercare: Command, intake_database: Database, tickets_database: Database) -> None:
    async with intake_database.transaction() as tx:
        await tx.execute("UPDATE outbox_head SET stopped = 'restored' WHERE part = 3")
    async with tickets_database.transaction() as tx:
        await tx.execute("UPDATE consumer_part SET stopped = 'broken chain' WHERE part = 3")

    await aftercare("outbox", "status", exit_code=1)
    await aftercare("lag", exit_code=1)


async def test_the_doctor_names_what_is_red(aftercare: Command, tickets_database: Database) -> None:
    async with tickets_database.transaction() as tx:
        await tx.execute("UPDATE consumer_part SET stopped = 'broken chain' WHERE part = 3")

    findings = json.loads((await aftercare("doctor", "--json", exit_code=1)).stdout)

    states = {finding["what"]: finding["state"] for finding in findings}
    assert states["tickets database"] == "ok"
    assert states["broker and topics"] == "red", "its address is not told"
    assert states["consumers"] == "red"
    assert states["outboxes"] == states["dead letters"] == "ok"


LETTER = ("tickets", "aftercare.intake", "0", "1")


async def parked(database: Database) -> LogRecord:
    """A good event that some error parked."""
    event = example_of(RequestReceived)
    numbered = Numbered(epoch=1, seq=1, event_id=uuid4(), previous_id=None)
    headers = {"ce_type": event.TYPE, "ce_id": str(numbered.event_id), "ce_sequence": "1", "ce_epoch": "1"}
    value = event.model_dump_json().encode()
    record = LogRecord(("aftercare.intake", 0), 7, numbered, event.TYPE, event.key, event.occurred_at, headers, value)
    async with database.transaction() as tx:
        await dead_letter.park(tx, [Letter(record, RuntimeError("the disk of the handler was full"))])
    return record


async def test_a_replayed_event_has_its_effect_and_frees_its_key(aftercare: Command, tickets_database: Database) -> None:
    record = await parked(tickets_database)

    await aftercare("dead-letters", "replay", "tickets", "aftercare.intake", "0", record.key, "--reason", "disk grown", "--by", "ops")

    async with tickets_database.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM ticket") == 1
        assert await tx.fetchval("SELECT count(*) FROM parked_key") == 0
    await aftercare("dead-letters", "replay", "tickets", "aftercare.intake", "0", record.key, "--reason", "again", exit_code=1)
    assert json.loads((await aftercare("dead-letters", "list", "--json")).stdout) == []


async def test_after_a_repair_everything_is_replayed_and_what_fails_again_is_told(
    environment: dict[str, str], tickets_database: Database
) -> None:
    record = await parked(tickets_database)
    async with tickets_database.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO dead_letter (topic, part, seq, epoch, kafka_offset, key, type, event_id, headers, value, error_class, error_text,
                                     handler_version)
            SELECT topic, part, seq + 1, epoch, kafka_offset + 1, 'another', type, gen_random_uuid(), headers, 'no event', error_class,
                   error_text, handler_version FROM dead_letter
            """
        )
        await tx.execute("INSERT INTO parked_key (topic, part, key) SELECT topic, part, 'another' FROM parked_key")
    replay_all = ("dead-letters", "replay-all", "tickets", "--reason", "disk grown", "--by", "ops", "--json")

    code, said, _ = await run_apart(environment, *replay_all)

    assert code == 1
    assert [(row["key"], row["applied"], bool(row["error"])) for row in json.loads(said)] == [(record.key, 1, False), ("another", 0, True)]
    async with tickets_database.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM ticket") == 1
        assert await tx.fetchval("SELECT array_agg(key) FROM parked_key") == ["another"]


async def test_nothing_to_replay_is_no_failure(aftercare: Command, tickets_database: Database) -> None:
    assert json.loads((await aftercare("dead-letters", "replay-all", "tickets", "--reason", "to be sure", "--json")).stdout) == []


async def test_what_is_logged_meanwhile_does_not_get_into_the_json(environment: dict[str, str], tickets_database: Database) -> None:
    record = await parked(tickets_database)
    replay = ("dead-letters", "replay", "tickets", "aftercare.intake", "0", record.key, "--reason", "disk grown", "--json")

    code, said, logged = await run_apart(environment, *replay)

    assert (code, json.loads(said)) == (0, {"applied": 1})
    assert b"requests_received" in logged


async def run_apart(environment: dict[str, str], *arguments: str) -> tuple[int | None, bytes, bytes]:
    """The command in a process of its own: its exit code, what it said and what it logged."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli", *arguments), env={**os.environ, **environment}, stdout=PIPE, stderr=PIPE
    )
    said, logged = await process.communicate()
    return process.returncode, said, logged


async def test_a_discarded_event_keeps_who_and_why(aftercare: Command, tickets_database: Database) -> None:
    await parked(tickets_database)

    await aftercare("dead-letters", "discard", *LETTER, "--reason", " ", exit_code=2)
    await aftercare("dead-letters", "discard", *LETTER, "--reason", "a test of the supplier", "--by", "anna")

    (row,) = json.loads((await aftercare("dead-letters", "list", "--all", "--json")).stdout)
    assert (row["status"], row["resolved_by"], row["reason"]) == ("discarded", "anna", "a test of the supplier")
    async with tickets_database.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM ticket") == 0
    await aftercare("dead-letters", "discard", *LETTER, "--reason", "twice", exit_code=1)


async def test_a_dead_letter_is_shown_whole(aftercare: Command, tickets_database: Database) -> None:
    record = await parked(tickets_database)

    shown = json.loads((await aftercare("dead-letters", "show", *LETTER, "--json")).stdout)

    assert shown["error_class"] == "RuntimeError"
    assert json.loads(shown["data"]) == json.loads(record.value)
    await aftercare("dead-letters", "show", "tickets", "aftercare.intake", "0", "2", exit_code=2)


async def test_a_consumer_rereads_only_what_it_reads(aftercare: Command, tickets_database: Database) -> None:
    async with tickets_database.transaction() as tx:
        await tx.execute("UPDATE consumer_part SET next_off = 9")

    await aftercare("consumer", "reread", "tickets", "aftercare.intake")

    async with tickets_database.transaction() as tx:
        assert await tx.fetchval("SELECT array_agg(DISTINCT next_off) FROM consumer_part WHERE topic = 'aftercare.intake'") == [0]
        assert await tx.fetchval("SELECT array_agg(DISTINCT next_off) FROM consumer_part WHERE topic = 'aftercare.feedback'") == [9]
    await aftercare("consumer", "reread", "tickets", "aftercare.tickets", exit_code=2)


async def test_a_consumer_of_another_system_is_listed_and_forgotten_but_never_our_own(
    aftercare: Command, tickets_database: Database
) -> None:
    async with tickets_database.transaction() as tx:
        await tx.execute(
            "INSERT INTO outbox_known (consumer, topic, part, last_seq, stamp) VALUES ('warehouse', 'aftercare.tickets', 0, 0, now())"
        )

    listed = json.loads((await aftercare("positions", "list", "--json")).stdout)
    assert {(row["topic"], row["consumer"]) for row in listed} >= {("aftercare.tickets", "warehouse"), ("aftercare.tickets", "metrics")}

    await aftercare("positions", "forget", "metrics", "--yes", exit_code=2)
    await aftercare("positions", "forget", "warehouse", "--yes")
    await aftercare("positions", "forget", "warehouse", "--yes", exit_code=1)
