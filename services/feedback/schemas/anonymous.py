"""Anonymous answers as sums: never one alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, Field

from services.feedback.survey.anonymity import SMALLEST_CELL, AnonymousResponse, hidden

Segment = Callable[[AnonymousResponse], str | None]


class CellOut(BaseModel):
    """The responses of one segment; a small one shows nothing but that it is small."""

    segment: str | None
    is_hidden: bool = Field(description="too few, or needed to keep another small one hidden")
    n: int | None
    answers: dict[str, dict[str, int]] | None = Field(description="how often each answer was given, by question id")

    @classmethod
    def of(cls, segment: str | None, responses: Sequence[AnonymousResponse], *, is_hidden: bool) -> CellOut:
        """The sums of these responses."""
        if is_hidden:
            return cls(segment=segment, is_hidden=True, n=None, answers=None)
        return cls(segment=segment, is_hidden=False, n=len(responses), answers=_counts(responses))


class AnonymousOut(BaseModel):
    """The anonymous answers of a month that has ended."""

    month: str
    form: str
    group_by: str | None
    items: list[CellOut]
    comments: list[str] = Field(description=f"in an order that means nothing; none while there are fewer than {SMALLEST_CELL} responses")

    @classmethod
    def of(
        cls, responses: Sequence[AnonymousResponse], *, month: str, form: str, group_by: str | None, segment_of: Segment
    ) -> AnonymousOut:
        """All cells of one list, small ones hidden together."""
        cells: dict[str | None, list[AnonymousResponse]] = {}
        for response in responses:
            cells.setdefault(segment_of(response), []).append(response)
        named = sorted(cells.items(), key=lambda cell: cell[0] or "")
        covered = hidden([len(found) for _, found in named])
        items = [CellOut.of(segment, found, is_hidden=is_hidden) for (segment, found), is_hidden in zip(named, covered, strict=True)]
        comments = [response.answers.comment for response in responses if response.answers.comment]
        return cls(month=month, form=form, group_by=group_by, items=items, comments=comments if len(responses) >= SMALLEST_CELL else [])


def _counts(responses: Sequence[AnonymousResponse]) -> dict[str, dict[str, int]]:
    given: dict[str, Counter[Any]] = {}
    for response in responses:
        for id_, value in response.answers.values.items():
            given.setdefault(id_, Counter())[str(value)] += 1
    return {id_: dict(sorted(counts.items())) for id_, counts in sorted(given.items())}
