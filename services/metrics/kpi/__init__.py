"""The key figures as declared data, and what becomes of their counts: value, interval, target, verdict.

A definition says what a figure is and in which direction it is good; where its counts come from is told in the service's README and
decided in `projection`. Ratios are made last, from summed counts: a year's figure comes from the year's counts, never from twelve
figures. A figure of nothing is None, never 0.

definitions.py  the list     figures.py  values out of counts     durations.py  means and percentiles     verdicts.py  against targets
"""

from services.metrics.kpi.definitions import AGE_EDGES, DEFINITIONS, REACH, Clock, Definition, Direction, Kind, Source
from services.metrics.kpi.durations import Estimate
from services.metrics.kpi.figures import Counts, Figure, Share, figure
from services.metrics.kpi.verdicts import SmallSample, Verdict, small_sample, verdict

__all__ = [
    "AGE_EDGES",
    "DEFINITIONS",
    "REACH",
    "Clock",
    "Counts",
    "Definition",
    "Direction",
    "Estimate",
    "Figure",
    "Kind",
    "Share",
    "SmallSample",
    "Source",
    "Verdict",
    "figure",
    "small_sample",
    "verdict",
]
