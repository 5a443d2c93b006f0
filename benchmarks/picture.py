"""All judged figures in one picture: how far each is from its target, on a logarithmic scale, right of the line is reached."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from benchmarks.figure import Figure, Target

WIDTH: Final = 980
ROW: Final = 26
TOP: Final = 46
MIDDLE: Final = 690
"""Where the line of the targets stands."""
LABEL: Final = 66
"""Characters of a figure's name that fit."""
OCTAVE: Final = 60
"""Points of a factor of two."""
REACH: Final = 4.0
"""Octaves to each side that are drawn; what is further is cut."""

_STYLE: Final = """
  text { font: 12px system-ui, sans-serif; fill: #333 } .head { font-size: 14px; font-weight: 600 } .small { fill: #666; font-size: 11px }
  .ok { fill: #2e8b57 } .missed { fill: #c0392b } .line { stroke: #333 } .grid { stroke: #ddd }
  @media (prefers-color-scheme: dark) { text { fill: #ddd } .small { fill: #aaa } .line { stroke: #ddd } .grid { stroke: #444 } }
"""


def draw(figures: Sequence[Figure]) -> str:
    """An SVG document."""
    judged = [(figure, target) for figure in figures if (target := Target.parse(figure.target)) is not None]
    height = TOP + ROW * len(judged) + 20
    rows = [_row(figure, target, TOP + ROW * index) for index, (figure, target) in enumerate(judged)]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>Aftercare beside its limits</title><style>{_STYLE}</style>",
        '<text class="head" x="8" y="20">Aftercare beside its limits: how many times better than the target</text>',
        *_grid(height),
        *rows,
        "</svg>",
        "",
    ])  # fmt: skip


def margin(figure: Figure, target: Target) -> float:
    """How many times better than the target; below 1 it is missed."""
    if figure.judged <= 0 or target.number <= 0:
        return 1.0 if target.holds(figure.judged) else 0.5
    return figure.judged / target.number if target.more_is_better else target.number / figure.judged


def _grid(height: int) -> list[str]:
    lines = []
    for octave in range(-2, int(REACH) + 1):
        x = MIDDLE + octave * OCTAVE
        label = f"{2.0**octave:g} x"
        lines.append(f'<line class="{"grid" if octave else "line"}" x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{height - 14}"/>')
        lines.append(f'<text class="small" x="{x}" y="{TOP - 10}" text-anchor="middle">{label}</text>')
    return lines


def _row(figure: Figure, target: Target, top: int) -> str:
    octaves = math.log2(margin(figure, target))
    length = max(-2.0, min(REACH, octaves)) * OCTAVE
    left, width = (MIDDLE, length) if length >= 0 else (MIDDLE + length, -length)
    kind = "ok" if figure.ok else "missed"
    label = figure.what if len(figure.what) <= LABEL else figure.what[: LABEL - 1] + "…"
    shown = f"{figure.judged:,.3g} ({figure.target})"
    return (
        f'<text x="8" y="{top + 16}">{escape(label)}</text>'
        f'<text class="small" x="{MIDDLE - 2 * OCTAVE - 10}" y="{top + 16}" text-anchor="end">{escape(shown)}</text>'
        f'<rect class="{kind}" x="{left:.1f}" y="{top + 5}" width="{max(1.5, width):.1f}" height="14" rx="2">'
        f"<title>{escape(figure.what)}: {escape(shown)}</title></rect>"
    )
