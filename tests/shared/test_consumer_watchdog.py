"""When a consumer's client is taken for stuck, and thrown away: nothing else helps against one that the group does not answer any more."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.clock import monotonic
from shared.consumer.member import Member
from shared.database import Database
from shared.events.topics import TICKETS
from shared.kafka import KafkaSettings

pytestmark = pytest.mark.pure

LIMITS = {"lagging": 30.0, "unassigned": 20.0}


@pytest.fixture
async def member() -> AsyncIterator[Member]:
    """A client in which nothing has moved for a minute; neither a broker nor a database is there."""
    database = Database("postgresql://nobody@127.0.0.1:1/nothing", pool_size=2, application_name="tests")
    made = Member(database, KafkaSettings("127.0.0.1:1"), [TICKETS], group="tests", ordinal=0, max_records=1)
    made._moved_at = monotonic() - 60
    yield made
    await made.close()
    await database.close()


async def test_a_member_without_an_answer_of_its_group_is_stuck(member: Member) -> None:
    assert member.is_stuck(**LIMITS)


async def test_a_member_whose_partitions_were_given_up_during_a_poll_is_stuck_when_no_others_come(member: Member) -> None:
    member.must_seek = True

    assert member.is_stuck(**LIMITS)


async def test_a_member_that_waits_for_its_database_is_not_stuck(member: Member) -> None:
    member.waits_for_database = True

    assert not member.is_stuck(**LIMITS)


async def test_a_member_with_partitions_that_must_seek_first_is_not_stuck(member: Member) -> None:
    member.must_seek = True
    member.ready.set()

    assert not member.is_stuck(**LIMITS)
