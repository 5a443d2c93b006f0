"""One measured figure beside its limit, and whether it reaches its target."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Self

_TARGET: Final = re.compile(r"\s*(>=|<=|<|>)\s*([\d,.]+)\s*(.*)")
_HOLDS: Final = {">=": operator.ge, "<=": operator.le, "<": operator.lt, ">": operator.gt}


@dataclass(frozen=True)
class Target:
    """`>= 0.6`, a bare number, is about the ratio; `< 100 ms`, with a unit, is about the value, in that unit."""

    sign: str
    number: float
    unit: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None when there is no target; ValueError when the text is none."""
        if not text:
            return None
        match = _TARGET.fullmatch(text)
        if match is None:
            raise ValueError(f"a target reads like '>= 0.6' or '< 100 ms', not {text!r}")
        return cls(match[1], float(match[2].replace(",", "")), match[3].strip())

    def holds(self, measured: float) -> bool:
        """Whether the measured number reaches it."""
        return bool(_HOLDS[self.sign](measured, self.number))

    @property
    def more_is_better(self) -> bool:
        return self.sign in {">=", ">"}


@dataclass(frozen=True)
class Figure:
    """What was measured. `ratio` is `value / beside_value`."""

    what: str
    value: float
    unit: str
    beside: str = ""
    """What stands beside it, in words."""
    beside_value: float | None = None
    ratio: float | None = None
    target: str = ""
    """See `Target`; empty: shown, not judged."""
    ok: bool = True
    spread: tuple[float, float] | None = None
    """The lowest and the highest value of the rounds."""
    bound: str = ""
    """One sentence: what bounds it now."""

    @classmethod
    def of(
        cls,
        what: str,
        values: Sequence[float],
        unit: str,
        *,
        beside: str = "",
        beside_values: Sequence[float] = (),
        target: str = "",
        bound: str = "",
    ) -> Self:
        """The median of the rounds, judged. With as many `beside_values`, the ratio is the median of the rounds' own ratios: what was
        measured one right after the other is compared, so a machine that is busy for a while changes it little."""
        value = median(values)
        beside_value = median(beside_values) if beside_values else None
        ratio = _ratio(values, beside_values)
        spread = (min(values), max(values)) if len(values) > 1 else None
        ok = _reaches(target, value, ratio)
        return cls(what, value, unit, beside, beside_value, ratio, target, ok, spread, bound)

    @property
    def judged(self) -> float:
        """The number that the target is about."""
        target = Target.parse(self.target)
        return self.ratio if self.ratio is not None and target is not None and not target.unit else self.value


def _ratio(values: Sequence[float], beside_values: Sequence[float]) -> float | None:
    if not beside_values:
        return None
    if len(values) == len(beside_values):
        return median(value / beside for value, beside in zip(values, beside_values, strict=True))
    return median(values) / median(beside_values)


def _reaches(text: str, value: float, ratio: float | None) -> bool:
    target = Target.parse(text)
    if target is None:
        return True
    return target.holds(ratio if ratio is not None and not target.unit else value)
