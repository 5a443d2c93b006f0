"""The verifier agrees with the projection on any history, and disagrees as soon as one line of the projection is wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.metrics import kpi, projection, verification
from services.metrics.buckets import bucket_of, duration_class
from services.metrics.facts import merging, observing, values
from services.metrics.projection import folding, rules, states, surveys, tickets, units
from services.metrics.reduction import Entry
from services.metrics.store import rollups as rollup_rows
from shared.database import Database
from shared.events import feedback, intake
from shared.events import tickets as events_of_tickets
from shared.events.envelope import Event
from tests.conftest import emptied
from tests.metrics.builders import DAY, HOUR, Story, in_batches, invited, numbered, random_history
from tests.metrics.database import differences, recorded, rollups, tamper
from tests.metrics.test_projection_laws import rollups_of, shuffled

pytestmark = pytest.mark.postgres


@settings(
    max_examples=12, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 2**32), st.integers(1, 40))
async def test_any_history_in_any_order_and_batches_is_proved(metrics_database: Database, seed: int, stories: int) -> None:
    chance, entries = random.Random(seed), numbered(random_history(seed, stories))

    await recorded(metrics_database, in_batches(shuffled(entries, chance), chance))
    await recorded(metrics_database, in_batches(chance.sample(entries, len(entries) // 2), chance))

    found, rows = await differences(metrics_database), await rollups(metrics_database)
    await emptied(metrics_database)
    assert found == []
    assert rows == rollups_of([entries])


async def test_a_year_of_tickets_is_proved(metrics_database: Database) -> None:
    entries = numbered(random_history(7, 1_500))

    await recorded(metrics_database, [entries[start : start + 500] for start in range(0, len(entries), 500)])

    assert await differences(metrics_database) == []
    assert {key[0] for key in await rollups(metrics_database)} == set(verification.COUNTED)


async def test_a_row_that_somebody_changed_is_found_and_named(metrics_database: Database) -> None:
    await recorded(metrics_database, [numbered(Story().later(HOUR).replied().events)])

    async with metrics_database.transaction() as tx:
        await tamper(tx, "sla_first_response", "numerator", 5, dimension="channel", span=96)

    (found,) = await differences(metrics_database)
    assert (found.kpi, found.dimension, found.span, found.value, found.measure) == ("sla_first_response", "channel", 96, "web", "numerator")
    assert (found.expected, found.actual) == (1, 5)


_ONE_TAKEN_FROM_EACH_DAY_FOR_ANOTHER = """
    UPDATE kpi_rollup r SET counts = jsonb_set(counts::jsonb, '{requests,count}', to_jsonb((counts #>> '{requests,count}')::bigint + sign))
      FROM (SELECT bucket, CASE row_number() OVER (ORDER BY bucket) WHEN 1 THEN 1 WHEN 2 THEN -1 END AS sign
              FROM kpi_rollup WHERE dimension = 'total' AND span = 96 AND counts #> '{requests,count}' IS NOT NULL) moved
     WHERE dimension = 'total' AND span = 96 AND r.bucket = moved.bucket AND sign IS NOT NULL
"""
"""The sum over all time stays what it was."""


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("UPDATE kpi_cell SET counts = jsonb_set(counts::jsonb, '{tickets_opened,count}', '9')", ("tickets_opened", "cell")),
        ("UPDATE kpi_cell SET counts = counts::jsonb - 'first_response_time'", ("first_response_time", "cell")),
        ("UPDATE kpi_rollup SET counts = jsonb_set(counts::jsonb, '{requests,count}', '9') WHERE span = 1", ("requests", "total")),
        ("UPDATE kpi_rollup SET durations = '{}' WHERE dimension = 'channel'", ("first_response_time", "channel")),
        ("UPDATE kpi_rollup SET counts = replace(counts::text, 'numerator', 'nominator')::json", ("reopen_rate", "total")),
        ("UPDATE kpi_rollup SET counts = replace(counts::text, 'tickets_opened', 'tickets_closed')::json", ("tickets_opened", "total")),
        (_ONE_TAKEN_FROM_EACH_DAY_FOR_ANOTHER, ("requests", "total")),
        ("DELETE FROM kpi_rollup WHERE span = 32", ("requests", "total")),
        ("DELETE FROM kpi_rollup WHERE dimension = 'agent' AND span = 4", ("tickets_resolved", "agent")),
        ("UPDATE kpi_rollup SET bucket = bucket + 96000 WHERE dimension = 'tier' AND span = 96", ("tickets_opened", "tier")),
        ("UPDATE open_span SET until = until - 1 WHERE run = 1", ("backlog", "row")),
        ("UPDATE open_span SET team = 'returns'", ("backlog", "row")),
        ("DELETE FROM open_span", ("backlog", "row")),
        ("UPDATE complaint SET ended_at = ended_at - 1", ("repeat_complaint_rate", "row")),
        ("UPDATE customer_alias SET into_customer_id = customer_id", ("customers", "row")),
        ("INSERT INTO customer_alias VALUES (1, 'x', 'y')", ("customers", "row")),
    ],
)
async def test_whatever_somebody_changed_is_found(metrics_database: Database, change: str, where: tuple[str, str]) -> None:
    await recorded(metrics_database, [numbered(random_history(17, 40))])

    async with metrics_database.transaction() as tx:
        await tx.execute(change)

    assert where in {(found.kpi, found.dimension) for found in await differences(metrics_database)}


async def test_a_row_of_a_figure_that_nobody_defined_is_found(metrics_database: Database) -> None:
    async with metrics_database.transaction() as tx:
        await tx.execute("""INSERT INTO kpi_rollup VALUES (1, 'total', 1, 1, '', '{"happiness": {"count": 3}}', '{}')""")

    assert [(found.kpi, found.expected, found.actual) for found in await differences(metrics_database)] == [("happiness", 0, 3)]


def test_every_key_figure_has_a_proof() -> None:
    proved = {*verification.COUNTED, "backlog", "repeat_complaint_rate"}  # the last two as rows
    made_of = {definition.counts_of or definition.id for definition in kpi.DEFINITIONS.values()}

    assert made_of - proved == {"backlog_age"}  # told from the rows of the backlog
    assert proved <= kpi.DEFINITIONS.keys()


# ------------------------------------------------------------------ planted faults


def _replaced(module: Any, name: str, value: Any) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda monkeypatch: monkeypatch.setattr(module, name, value)


def _removed(tellers: dict[str, Any], type_of_event: str) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda monkeypatch: monkeypatch.delitem(tellers, type_of_event)


def _late_by_a_quarter(instant_us: int) -> int:
    return bucket_of(instant_us) + 1


def _without_taking_back(before: object, after: dict[values.Subject, values.Facts]) -> dict[projection.CellKey, projection.Counts]:
    return folding_deltas({}, after)


folding_deltas = folding.deltas


def _without_dimensions(cells: dict[projection.CellKey, projection.Counts]) -> dict[projection.RowKey, projection.Counts]:
    return {key: counts for key, counts in units.spread(cells).items() if key.dimension == "total"}


def _at_the_meeting(target: values.TargetFacts, *, ended: object = None) -> values.Moment | None:
    clock = target.clock
    return None if clock is None or clock.met_at is None else target.met[clock.met_at]._replace(at=clock.met_at)


def _first_policy(one: values.Clock | None, other: values.Clock | None) -> values.Clock | None:
    return merging.first(one, other)


def _latest_teller(one: values.Moment, other: values.Moment) -> values.Moment:
    return max(one, other)


def _whole_minutes(ms: int) -> int:
    return duration_class(ms // 60_000 * 60_000)


def _whoever_held_it_last(ticket: str, facts: values.TicketFacts, opened_at: int) -> Iterator[states.Span]:
    held = [run for run in facts.runs if run.holder is not None]
    ends = [run.at for run in facts.runs[1:]] + [states.FOREVER]
    for run, until in zip(facts.runs, ends, strict=True):
        if run.holder is not None and run.at < until:
            yield states.Span(ticket, run.first, run.at, until, opened_at, held[-1].holder or run.holder)


def _without_alias(subject: values.Subject, facts: values.Facts) -> Iterator[projection.State]:
    return (state for state in all_states(subject, facts) if not isinstance(state, projection.Alias))


all_states = states.states


def _closed_by_itself(ticket: values.TicketFacts) -> bool:
    return rules.status_of(ticket) == rules.CLOSED and ticket.closed is not None and ticket.closed.reason == rules.NO_CUSTOMER_ANSWER


FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "counts a quarter of an hour late": _replaced(units, "bucket_of", _late_by_a_quarter),
    "counts internal tickets": _replaced(rules, "INTERNAL", "nothing"),
    "counts merged tickets": _replaced(rules, "MERGED", "nothing"),
    "counts spam": _replaced(rules, "VOID_REASONS", frozenset({"test", "duplicate", "not_a_request"})),
    "counts no ticket that was cancelled": _replaced(rules, "VOID_REASONS", frozenset({"spam", "test", "withdrawn"})),
    "counts the targets of cancelled tickets": _replaced(rules, "WITHDRAWN", frozenset({"merged"})),
    "a reopening on the seventh day does not count": _replaced(rules, "REOPEN_WINDOW_US", 7 * 86_400_000_000 - 1),
    "a reopening on the eighth day counts": _replaced(rules, "REOPEN_WINDOW_US", 8 * 86_400_000_000),
    "never takes back what counted before": _replaced(folding, "deltas", _without_taking_back),
    "forgets the dimensions": _replaced(projection, "spread", _without_dimensions),
    "counts targets only when they are met": _replaced(rules, "settled", _at_the_meeting),
    "a target met late is attained": _replaced(rules, "is_attained", lambda clock: clock.met_at is not None),
    "a target met in its last moment is missed": _replaced(
        rules, "is_attained", lambda clock: clock.met_at is not None and clock.met_at < clock.due_at
    ),
    "a resolution holds although it was reopened": _replaced(rules, "holds", bool),
    "closed unanswered is solved": _replaced(rules, "is_unanswered", lambda ticket: False),
    "closed by hand without a solution is forgotten": _replaced(rules, "is_unanswered", _closed_by_itself),
    "a relationship survey counts for the transactional NPS": _replaced(surveys, "RELATIONSHIP_SURVEY", "T9"),
    "the first promise rules": _replaced(merging, "_ruling", _first_policy),
    "the first status rules": _replaced(merging, "last", merging.first),
    "the last answer counts": _replaced(merging, "first", merging.last),
    "credits who told it last": _replaced(merging, "_earlier", _latest_teller),
    "observes no survey": _removed(observing.TELLERS, feedback.SurveyAnswered.TYPE),
    "observes no anonymous answer": _removed(observing.TELLERS, feedback.SurveyAnsweredAnonymously.TYPE),
    "observes no invitation": _removed(observing.TELLERS, feedback.SurveyInvited.TYPE),
    "the question whether a complaint is solved is a survey": _replaced(observing, "SERVICE_QUESTION", "S9"),
    "an invitation that a reopening cancelled stays": _removed(observing.TELLERS, feedback.SurveyCancelled.TYPE),
    "counts durations by the minute": _replaced(tickets, "duration_class", _whole_minutes),
    "waits for a first word on the web": _replaced(rules, "CHAT", frozenset({"chat", "bot", "web"})),
    "thirty seconds are not quick": _replaced(rules, "ONLINE_LIMIT_MS", 29_999),
    "thirty-one seconds are quick": _replaced(rules, "ONLINE_LIMIT_MS", 31_000),
    "the message that opened a clock is not heard": _removed(observing.TELLERS_OF_TICKETS, events_of_tickets.TicketMessageAdded.TYPE),
    "a met target is not heard": _removed(observing.TELLERS_OF_TICKETS, events_of_tickets.SlaMet.TYPE),
    "a missed target is not heard": _removed(observing.TELLERS_OF_TICKETS, events_of_tickets.SlaBreached.TYPE),
    "an unmerged ticket keeps its old promise": _removed(observing.TELLERS_OF_TICKETS, events_of_tickets.TicketUnmerged.TYPE),
    "what waits for parts is no backlog": _replaced(observing, "OPEN", observing.OPEN - {"waiting_parts"}),
    "what is resolved is backlog": _replaced(observing, "OPEN", observing.OPEN | {"resolved"}),
    "the backlog is the last holder's": _replaced(states, "spans", _whoever_held_it_last),
    "nothing is open": _replaced(states, "spans", lambda *_: ()),
    "praise is a complaint": _replaced(states, "COMPLAINT", "praise"),
    "a resolved complaint is open": _replaced(rules, "SOLVED", frozenset({"confirmed"})),
    "a complaint never ends": _replaced(states, "ended_at", lambda _: states.FOREVER),
    "two files stay two persons": _replaced(folding, "states", _without_alias),
    "no file is taken apart again": _removed(observing.TELLERS, intake.CustomerUnmerged.TYPE),
}
"""One for each line that decides something about a figure."""


def _edges() -> Iterator[Event]:
    """Stories that end exactly where a rule does."""
    chat = {"channel": "chat", "type": "enquiry", "priority": "normal"}
    yield from Story("AS-LAST").later(4 * HOUR).replied().events
    yield from Story("AS-SEVENTH").later(HOUR).resolved().later(7 * DAY).reopened().events
    yield from Story("AS-QUICK", dims=dict(chat), business_share=1).later(timedelta(seconds=30)).replied().events
    yield from Story("AS-SLOW", dims=dict(chat), business_share=1).later(timedelta(seconds=31)).replied().events
    back = Story("AS-BACK").later(5 * HOUR).breached("first_response").merged()
    back.first_response.due_at, back.first_response.policy_version = back.at + 2 * HOUR, 2
    yield from back.unmerged().events
    yield invited(9_001, form="S1.1")
    yield from Story("AS-BY-HAND").later(HOUR).waits("waiting_customer").closed("not_our_product").events


def _telling_history() -> list[list[Entry]]:
    """A history in which each rule decides something, also at its edges; in batches, so that facts change after they counted."""
    entries = sorted(numbered([*_edges(), *random_history(11, 160)]), key=lambda entry: entry.time)
    third = len(entries) // 3
    return [entries[:third], entries[third : 2 * third], entries[2 * third :]]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_in_the_projection_is_found(metrics_database: Database, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    batches = _telling_history()

    FAULTS[fault](monkeypatch)
    await recorded(metrics_database, batches)

    assert await differences(metrics_database)


async def test_without_a_fault_the_same_history_is_proved(metrics_database: Database) -> None:
    await recorded(metrics_database, _telling_history())

    assert await differences(metrics_database) == []


async def test_a_fault_in_writing_the_rollups_is_found(metrics_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deltas that are lost on their way, here those of one key figure."""
    add = rollup_rows.add

    async def lossy(tx: Any, version: int, deltas: dict[projection.RowKey, projection.Counts]) -> None:
        await add(tx, version, {key: {kpi: n for kpi, n in counts.items() if kpi != "requests"} for key, counts in deltas.items()})

    monkeypatch.setattr(rollup_rows, "add", lossy)
    await recorded(metrics_database, [numbered(random_history(11, 20))])

    assert {found.kpi for found in await differences(metrics_database)} == {"requests"}
