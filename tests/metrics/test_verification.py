"""The verifier agrees with the projection on any history, and disagrees as soon as one line of the projection is wrong."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.metrics import facts, kpi, projection, verification
from services.metrics.buckets import bucket_of
from services.metrics.reduction import Entry
from services.metrics.store import rollups as rollup_rows
from shared.database import Database
from tests.conftest import emptied
from tests.metrics.builders import HOUR, Story, in_batches, numbered, random_history
from tests.metrics.database import differences, recorded, rollups
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
    assert {key[0] for key in await rollups(metrics_database)} == set(kpi.DEFINITIONS)


async def test_a_row_that_somebody_changed_is_found_and_named(metrics_database: Database) -> None:
    await recorded(metrics_database, [numbered(Story().later(HOUR).replied().events)])

    async with metrics_database.transaction() as tx:
        await tx.execute("UPDATE kpi_rollup SET n = 5 WHERE kpi = 'sla_first_response' AND dimension = 'channel' AND measure = 'numerator'")

    (found,) = await differences(metrics_database)
    assert (found.kpi, found.dimension, found.value, found.measure) == ("sla_first_response", "channel", "web", "numerator")
    assert (found.expected, found.actual) == (1, 5)


async def test_a_row_of_a_figure_that_nobody_defined_is_found(metrics_database: Database) -> None:
    async with metrics_database.transaction() as tx:
        await tx.execute("INSERT INTO kpi_rollup VALUES (1, 'happiness', 'total', 1, '', 'count', 3)")

    assert [(found.kpi, found.expected, found.actual) for found in await differences(metrics_database)] == [("happiness", 0, 3)]


def test_every_key_figure_has_a_proof() -> None:
    assert verification.COUNTED.keys() == kpi.DEFINITIONS.keys()


# ------------------------------------------------------------------ planted faults


def _replaced(module: Any, name: str, value: Any) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda monkeypatch: monkeypatch.setattr(module, name, value)


def _late_by_a_quarter(instant_us: int) -> int:
    return bucket_of(instant_us) + 1


def _without_taking_back(before: object, after: dict[facts.Subject, facts.Facts]) -> Counter[projection.Unit]:
    return Counter(unit for told in after.values() for unit in projection.units(told))


def _without_dimensions(total: Counter[projection.Unit]) -> dict[projection.RowKey, int]:
    return {projection.RowKey(unit.kpi, "total", "", unit.bucket, unit.measure): n for unit, n in sorted(total.items()) if n}


def _at_the_meeting(target: facts.TargetFacts, *, ended: object) -> facts.Moment | None:
    clock = target.clock
    return None if clock is None or clock.met_at is None else target.met[clock.met_at]._replace(at=clock.met_at)


def _first_policy(one: facts.Clock | None, other: facts.Clock | None) -> facts.Clock | None:
    return facts.first(one, other)


def _latest_teller(one: facts.Moment, other: facts.Moment) -> facts.Moment:
    return max(one, other)


FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "counts a quarter of an hour late": _replaced(projection, "bucket_of", _late_by_a_quarter),
    "counts internal tickets": _replaced(projection, "INTERNAL", "nothing"),
    "counts merged tickets": _replaced(projection, "MERGED", "nothing"),
    "counts the targets of cancelled tickets": _replaced(projection, "WITHDRAWN", frozenset({"merged"})),
    "a reopening on the seventh day does not count": _replaced(projection, "REOPEN_WINDOW_US", 7 * 86_400_000_000 - 1),
    "a reopening on the eighth day counts": _replaced(projection, "REOPEN_WINDOW_US", 8 * 86_400_000_000),
    "never takes back what counted before": _replaced(projection, "deltas", _without_taking_back),
    "forgets the dimensions": _replaced(projection, "spread", _without_dimensions),
    "counts targets only when they are met": _replaced(projection, "_settled", _at_the_meeting),
    "a target met late is attained": _replaced(projection, "_is_attained", lambda clock: clock.met_at is not None),
    "a target met in its last moment is missed": _replaced(
        projection, "_is_attained", lambda clock: clock.met_at is not None and clock.met_at < clock.due_at
    ),
    "a resolution holds although it was reopened": _replaced(projection, "_holds", lambda ticket: bool(ticket.episodes)),
    "closed unanswered is solved": _replaced(projection, "_is_unanswered", lambda ticket, status: False),
    "a relationship survey counts for the transactional NPS": _replaced(projection, "RELATIONSHIP_SURVEY", "T9"),
    "the first promise rules": _replaced(facts, "_ruling", _first_policy),
    "the first status rules": _replaced(facts, "last", facts.first),
    "the last answer counts": _replaced(facts, "first", facts.last),
    "credits who told it last": _replaced(facts, "_earlier", _latest_teller),
    "observes no survey": _replaced(facts.feedback.SurveyAnswered, "TYPE", "survey.answered.v9"),
}


def _telling_history() -> list[list[Entry]]:
    """A history in which each rule decides something, also at its edges; in two batches, so that facts change after they counted."""
    in_the_last_moment = Story("AS-LAST").later(4 * HOUR).replied()
    entries = numbered(in_the_last_moment.events + random_history(11, 250))
    return [entries[: len(entries) // 2], entries[len(entries) // 2 :]]


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

    async def lossy(tx: Any, version: int, deltas: dict[projection.RowKey, int]) -> None:
        await add(tx, version, {key: n for key, n in deltas.items() if key.kpi != "requests"})

    monkeypatch.setattr(rollup_rows, "add", lossy)
    await recorded(metrics_database, [numbered(random_history(11, 20))])

    assert {found.kpi for found in await differences(metrics_database)} == {"requests"}
