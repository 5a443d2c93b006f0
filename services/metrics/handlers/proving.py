"""Compare everything with the event log: the rows that hold the figures, and the matters that are strung together when somebody asks."""

from __future__ import annotations

from collections import Counter
from typing import Final

from services.metrics import verification
from services.metrics.buckets import WIDTH_US, bucket_of, start_of
from services.metrics.kpi import DEFINITIONS
from services.metrics.projection import DIMENSIONS
from services.metrics.store import complaints, log
from services.metrics.store.rollups import Cut
from services.metrics.verification import Difference
from shared.database import Transaction

REPEATED: Final = "repeat_complaint_rate"


async def differences(tx: Transaction, version: int) -> list[Difference]:
    """All that differs in a generation; none is the proof. ``tx`` must see one snapshot."""
    return await verification.differences(tx, version) + await _different_matters(tx, version)


async def _different_matters(tx: Transaction, version: int) -> list[Difference]:
    window_us = (DEFINITIONS[REPEATED].window_days or 0) * 24 * 3600 * 1_000_000
    expected: Counter[tuple[int, str, str]] = Counter()
    for matter in await verification.matters(tx, window_us, log.PATIENCE):
        for measure in ("denominator", "numerator") if matter.is_repeated else ("denominator",):
            expected[bucket_of(matter.at), "/".join(matter.dimensions), measure] += 1
    actual = await _stored_matters(tx, version, window_us, sorted({bucket for bucket, _, _ in expected}))
    return [
        Difference(REPEATED, "cell", 1, group, start_of(bucket), measure, expected[bucket, group, measure], actual[bucket, group, measure])
        for bucket, group, measure in sorted(expected.keys() | actual.keys())
        if expected[bucket, group, measure] != actual[bucket, group, measure]
    ]


async def _stored_matters(tx: Transaction, version: int, window_us: int, buckets: list[int]) -> Counter[tuple[int, str, str]]:
    """As an answer would tell them, in those quarter hours and in what lies between them."""
    found: Counter[tuple[int, str, str]] = Counter()
    if buckets:
        slots = [bucket * WIDTH_US for bucket in buckets]
        everyone, end = Cut(by=DIMENSIONS), slots[-1] + WIDTH_US
        sums = await complaints.sums(tx, version, window_us, everyone, slots, end, now=0, patience=log.PATIENCE)
        for row in sums:
            if row.measure != "unsettled":
                found[buckets[row.slot], "/".join(row.group), row.measure] += row.n
    return found
