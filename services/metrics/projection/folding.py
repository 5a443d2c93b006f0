"""The change that new knowledge makes: facts, units, rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from services.metrics.facts import CustomerFacts, Dimensions, Facts, RequestFacts, Subject, SurveyFacts, TicketFacts, merge, observe
from services.metrics.projection import rules, surveys, tickets
from services.metrics.projection.states import State, states
from services.metrics.projection.units import CellKey, Counts, Part, without_zeros
from services.metrics.reduction import Entry

Told = tuple[Subject, Facts]
"""What one event tells about whom."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is different now."""

    facts: Mapping[Subject, Facts]
    """New or changed."""
    cells: Mapping[CellKey, Counts]
    """By how much the counts go up or down; never by 0."""
    gone: frozenset[State]
    come: frozenset[State]


def observed(entries: Iterable[Entry]) -> list[Told]:
    """What the entries tell, in their order; those that no figure needs tell nothing."""
    return [told for entry in entries if (told := observe(entry)) is not None]


def fold(known: Mapping[Subject, Facts], told: Iterable[Told]) -> Change:
    """What is changed by what is told.

    ``known`` holds the present facts of the subjects that are told about, as far as there are any.
    """
    after: dict[Subject, Facts] = {}
    for subject, facts in told:
        before = after.get(subject) or known.get(subject)
        after[subject] = facts if before is None else merge(before, facts)
    changed = {subject: facts for subject, facts in after.items() if facts != known.get(subject)}
    cells = deltas(known, changed)
    gone, come = _states_of(known, changed)
    return Change(changed, {key: counts for key, each in cells.items() if (counts := without_zeros(each))}, gone, come)


def deltas(before: Mapping[Subject, Facts], after: Mapping[Subject, Facts]) -> dict[CellKey, Counts]:
    """Minus what the subjects counted for before, plus what they count for now."""
    total: dict[tuple[int, Dimensions], Counts] = {}
    for subject, facts in after.items():
        old = parts(before[subject]) if subject in before else []
        new = parts(facts)
        if len(old) == len(new):
            changed = [(was, now) for was, now in zip(old, new, strict=True) if was != now]
            old, new = [was for was, _ in changed], [now for _, now in changed]
        for part in new:
            _count(total, part, 1)
        for part in old:
            _count(total, part, -1)
    return {CellKey._make(key): counts for key, counts in total.items()}


def _count(total: dict[tuple[int, Dimensions], Counts], part: Part, sign: int) -> None:
    for kpi, measure, bucket, dimensions, amount in part[0](*part[1:]):
        if dimensions.channel != rules.INTERNAL:
            cell = total.get((bucket, dimensions))
            if cell is None:
                cell = total[bucket, dimensions] = {}
            measures = cell.get(kpi)
            if measures is None:
                cell[kpi] = {measure: sign * amount}
            else:
                measures[measure] = measures.get(measure, 0) + sign * amount


def parts(facts: Facts) -> list[Part]:
    """Everything that the facts about one subject count for."""
    match facts:
        case TicketFacts():
            return tickets.parts(facts)
        case RequestFacts():
            return surveys.parts_of_request(facts)
        case SurveyFacts():
            return surveys.parts_of_survey(facts)
        case CustomerFacts():
            return []
    assert_never(facts)


def _states_of(before: Mapping[Subject, Facts], after: Mapping[Subject, Facts]) -> tuple[frozenset[State], frozenset[State]]:
    gone: set[State] = set()
    come: set[State] = set()
    for subject, facts in after.items():
        new = list(states(subject, facts))
        old = list(states(subject, before[subject])) if subject in before else []
        if old != new:  # seldom
            gone.update(old)
            come.update(new)
    return frozenset(gone - come), frozenset(come - gone)
