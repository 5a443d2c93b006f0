"""A sender is killed with mails in its hands; another one takes them over when the claim ends, and each message ends once."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr

from deploy.local.ports import free_port
from services.intake.carriers import carriers_of
from services.intake.delivery import deliver_due
from services.intake.handlers.notifications import LEASE
from services.intake.settings import IntakeSettings
from shared import clock
from shared.runtime import Runtime
from tests.intake.builders import rows
from tests.intake.postbox import ask, ended, invitation, make_due, reply
from tests.intake.sink import Sink, smtp_sink
from tests.waiting import eventually

pytestmark = pytest.mark.postgres

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def sender(runtime: Runtime[IntakeSettings], sink: Sink) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that delivers until it is killed, at the end of the block at the latest."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.intake", "timers"),
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("INTAKE_", "AFTERCARE_", "KAFKA_"))},
            "INTAKE_DATABASE_URL": runtime.database.url,
            "INTAKE_SMTP_URL": sink.url,
            "INTAKE_SMTP_RATE": "1000",
            "INTAKE_PORT": str(free_port()),
            "AFTERCARE_LOCAL": "1",
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def by_us(runtime: Runtime[IntakeSettings], sink: Sink) -> int:
    """One round of another sender."""
    sink.keeps_silent = False
    return await deliver_due(
        runtime, carriers_of(runtime.settings.model_copy(update={"smtp_url": SecretStr(sink.url), "smtp_rate": 1000.0}))
    )


async def kill_with_a_mail_in_hand(runtime: Runtime[IntakeSettings], sink: Sink) -> None:
    """The server has the mail and does not say so; then the sender is gone."""
    sink.keeps_silent = True
    async with sender(runtime, sink) as process:
        async with asyncio.timeout(30):
            await sink.got_data.wait()
        process.kill()


async def test_what_a_killed_sender_held_is_taken_over_when_its_claim_ends(runtime: Runtime[IntakeSettings], customer: UUID) -> None:
    event_ids = await ask(runtime.database, *(reply(customer) for _ in range(5)))

    async with smtp_sink() as sink:
        await kill_with_a_mail_in_hand(runtime, sink)
        assert await by_us(runtime, sink) == 0, "the claim still holds"
        held = [row["next_attempt_at"] for row in await rows(runtime.database, "notification")]
        assert all(timedelta() < moment - clock.real_now() <= LEASE for moment in held)
        await make_due(runtime.database)
        await by_us(runtime, sink)

    ids = [message_from_bytes(raw, policy=default)["Message-ID"] for raw in sink.mails]
    assert sorted(ids) == sorted(f"<{event_id}@aftercare.example>" for event_id in event_ids)
    assert len(await ended(runtime.database)) == 5


async def test_a_sender_whose_clock_is_ahead_finds_no_claim_over(
    runtime: Runtime[IntakeSettings], customer: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask(runtime.database, reply(customer))

    async with smtp_sink() as sink:
        await kill_with_a_mail_in_hand(runtime, sink)
        ahead = clock.real_now() + LEASE + timedelta(minutes=3)
        monkeypatch.setattr(clock, "real_now", lambda: ahead)

        assert await by_us(runtime, sink) == 0


async def test_a_box_does_not_get_more_than_its_budget_because_a_sender_was_killed(
    runtime: Runtime[IntakeSettings], customer: UUID
) -> None:
    await ask(runtime.database, *(invitation(customer) for _ in range(6)))

    async with smtp_sink() as sink:
        await kill_with_a_mail_in_hand(runtime, sink)
        await make_due(runtime.database)
        await by_us(runtime, sink)

    assert sink.mails == [], "three may have arrived already"
    assert await ended(runtime.database) == []


async def test_a_sender_that_is_killed_again_and_again_loses_nothing_and_ends_each_message_once(
    runtime: Runtime[IntakeSettings], customer: UUID
) -> None:
    event_ids = await ask(runtime.database, *(reply(customer) for _ in range(80)))

    async with smtp_sink() as sink:
        for enough in (10, 40):
            async with sender(runtime, sink) as process:
                await eventually(lambda: _count(sink), lambda arrived, enough=enough: arrived >= enough)  # type: ignore[misc]
                process.kill()
            await make_due(runtime.database)
        while await by_us(runtime, sink):
            continue

    arrived = [message_from_bytes(raw, policy=default)["Message-ID"] for raw in sink.mails]
    assert set(arrived) == {f"<{event_id}@aftercare.example>" for event_id in event_ids}
    assert len(arrived) <= 80 + 2 * 50, "at most what was in hand arrived twice"
    facts = await ended(runtime.database)
    assert len({fact["notification_id"] for fact in facts}) == len(facts) == 80


async def _count(sink: Sink) -> int:
    return len(sink.mails)
