"""How mails are handed to a mail server: at its pace, not at all while it is in trouble, and each answer taken for what it means."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.intake.carriers import Delivered, Letter, NotTried, Pace, Smtp, TryAgain
from services.intake.carriers.pace import FIRST_REST, LONGEST_REST
from services.intake.sending import Failure, Notification
from shared.clock import monotonic
from tests.intake.sink import Sink, smtp_sink
from tests.intake.test_mail import LETTERHEAD

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


def letters(*addresses: str) -> list[Letter]:
    return [
        Letter(Notification(UUID(int=n), UUID(int=n), UUID(int=0), "ticket_reply", "en", NOW, "AS-1", "Done."), address)
        for n, address in enumerate(addresses)
    ]


def smtp(sink: Sink, rate: float = 1000, timeout: float = 2) -> Smtp:
    return Smtp(sink.url, LETTERHEAD, timeout=timeout, pace=Pace(rate))


async def carry(carrier: Smtp, mails: Sequence[Letter], patience: float = 30) -> list[object]:
    return list(await carrier.carry(mails, until=monotonic() + patience))


FIVE = [f"c{n}@example.com" for n in range(5)]


# --- what the server says --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "meaning"),
    [
        ("250 ok", Delivered),
        ("450 greylisted", TryAgain),
        ("451 later", TryAgain),
        ("452 box full", TryAgain),
        ("550 no such user", Failure),
        ("551 moved", Failure),
        ("552 box full", TryAgain),
        ("553 bad name", Failure),
        ("554 refused", Failure),
    ],
)
async def test_what_the_server_says_of_an_address_decides_what_becomes_of_its_mail(reply: str, meaning: type) -> None:
    async with smtp_sink() as sink:
        sink.refusals["c0@example.com"] = reply
        first, second = await carry(smtp(sink), letters("c0@example.com", "c1@example.com"))

    assert isinstance(first, meaning)
    assert not isinstance(first, TryAgain) or not first.may_have_left
    assert isinstance(second, Delivered), "the trouble of one address is not that of another"


async def test_a_refused_text_is_refused_for_good_and_a_postponed_one_is_not() -> None:
    async with smtp_sink() as sink:
        sink.data_reply = "554 looks like spam"
        assert await carry(smtp(sink), letters("c@example.com")) == [Failure.REFUSED]
        sink.data_reply = "451 later"
        assert await carry(smtp(sink), letters("c@example.com")) == [TryAgain("451")]


async def test_when_nobody_says_whether_a_mail_was_taken_it_may_have_left() -> None:
    async with smtp_sink() as sink:
        sink.keeps_silent = True
        first, *rest = await carry(smtp(sink, timeout=0.2), letters(*FIVE))

    assert isinstance(first, TryAgain)
    assert first.may_have_left
    assert all(isinstance(outcome, NotTried) for outcome in rest)


# --- pace ------------------------------------------------------------------------------------------------------------------------------


async def test_a_host_in_trouble_is_left_alone() -> None:
    async with smtp_sink() as sink:
        sink.greeting = "421 busy"
        carrier = smtp(sink)
        first = await carry(carrier, letters(*FIVE))
        second = await carry(carrier, letters(*FIVE))

    assert sink.connections == 1
    assert [type(outcome) for outcome in first] == [TryAgain, *[NotTried] * 4]
    assert all(isinstance(outcome, NotTried) and 0 < outcome.rest <= FIRST_REST for outcome in second)


def test_the_rests_of_a_host_grow_and_end_with_its_recovery() -> None:
    pace = Pace(1000)
    rests = []
    for _ in range(10):
        pace.is_in_trouble()
        rests.append(round(pace.rest))

    assert rests[:4] == [5, 10, 20, 40]
    assert rests[-1] == LONGEST_REST
    pace.is_well()
    assert pace.rest == 0
    pace.is_in_trouble()
    assert round(pace.rest) == FIRST_REST


async def test_a_host_gets_no_more_mails_a_second_than_it_bears() -> None:
    async with smtp_sink() as sink:
        begun = monotonic()
        await carry(smtp(sink, rate=20), letters(*FIVE))

    assert monotonic() - begun >= 4 / 20
    assert len(sink.mails) == 5


async def test_no_mail_is_begun_when_the_claim_nears_its_end() -> None:
    async with smtp_sink() as sink:
        outcomes = await carry(smtp(sink), letters(*FIVE), patience=0)

    assert all(isinstance(outcome, NotTried) for outcome in outcomes)
    assert sink.mails == []
