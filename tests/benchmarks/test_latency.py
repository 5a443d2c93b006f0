"""A latency at a rate that was not reached shows nothing, however short it is."""

from __future__ import annotations

from array import array

import pytest

from benchmarks.latency import Found, _figures

pytestmark = pytest.mark.pure

SHORT = [array("d", [10.0, 20.0, 30.0])]


def found(*, kept_up: bool = True, grew: bool = False) -> Found:
    return Found(SHORT, SHORT, SHORT, [499.0], kept_up, grew)


def test_a_short_latency_at_its_rate_reaches_its_target() -> None:
    assert all(figure.ok for figure in _figures(500, found()))


def test_no_latency_at_a_rate_that_was_not_reached_reaches_its_target() -> None:
    judged = [figure for figure in _figures(500, found(kept_up=False)) if figure.target]

    assert judged
    assert not any(figure.ok for figure in judged)
    assert all("not reached" in figure.what for figure in judged)


def test_a_lag_that_grew_is_told() -> None:
    assert all("the lag grew" in figure.bound for figure in _figures(500, found(grew=True)) if figure.target)
