"""When a consumer's client is taken for stuck, and thrown away: nothing else helps against one that the group does not answer any more."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiokafka import TopicPartition

from shared import kafka
from shared.clock import monotonic
from shared.consumer.logstate import LogState
from shared.consumer.member import Member
from shared.database import Database
from shared.events.topics import TICKETS
from shared.kafka import KafkaSettings
from shared.kafka.pulse import Pulse

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


async def test_a_member_whose_fetches_are_not_answered_any_more_is_stuck_though_it_knows_of_no_record_that_waits(member: Member) -> None:
    client = await reading(member)
    client.answered = 1_000
    assert not member.is_stuck(**LIMITS)

    member._pulse._heard_at = monotonic() - 60
    assert member.is_stuck(**LIMITS)

    client.answered = 999  # the clock was set back meanwhile
    assert not member.is_stuck(**LIMITS)


async def test_a_member_that_must_seek_or_reads_no_log_has_a_reason_not_to_ask(member: Member) -> None:
    await reading(member)
    assert not member.is_stuck(**LIMITS)
    member.must_seek = True
    member._pulse._heard_at = monotonic() - 60
    assert not member.is_stuck(**LIMITS)

    member.must_seek = False
    member.logs[TICKETS.name, 0].stop(600)
    member._pulse._heard_at = monotonic() - 60
    assert not member.is_stuck(**LIMITS)


async def reading(member: Member) -> FakeClient:
    """The member with one log, and its client."""
    await kafka.close(member._consumer)
    client = FakeClient()
    member._consumer, member._pulse = client, Pulse(client)
    member.logs = {(TICKETS.name, 0): LogState(next_off=7)}
    member.ready.set()
    return client


class FakeClient:
    """A client with one partition, of which it knows no record that waits."""

    partition = TopicPartition(TICKETS.name, 0)
    answered: int | None = None

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset({self.partition})

    def last_poll_timestamp(self, partition: TopicPartition) -> int | None:
        assert partition == self.partition
        return self.answered

    def highwater(self, partition: TopicPartition) -> int:
        assert partition == self.partition
        return 7

    async def stop(self) -> None:
        """Nothing is open."""
