"""A schedule is a function of its seed, uses every fault that was asked for, and lets the platform breathe."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.chaos.faults import FAULTS, Kind
from tests.chaos.schedule import ALL, LEAD, LEAST_BREATH, Strike, UnknownFault, choose, plan, time_needed

pytestmark = pytest.mark.pure

seeds = st.integers(0, 2**63)
spans = st.floats(5, 300)
clusters = st.sampled_from([1, 3])


@st.composite
def names_and_cluster(draw: st.DrawFn) -> tuple[list[str], int]:
    """Some faults that make sense together."""
    brokers = draw(clusters)
    fitting = [name for name, fault in FAULTS.items() if brokers in fault.brokers]
    return draw(st.lists(st.sampled_from(fitting), min_size=1, unique=True)), brokers


def of_kind(strikes: list[Strike], kind: Kind) -> list[Strike]:
    return [strike for strike in strikes if FAULTS[strike.fault].kind is kind]


@given(seeds, spans, names_and_cluster())
def test_the_same_seed_is_the_same_schedule(seed: int, seconds: float, chosen: tuple[list[str], int]) -> None:
    names, brokers = chosen

    assert plan(seed, seconds, names, brokers) == plan(seed, seconds, list(reversed(names)), brokers)


@given(seeds, st.floats(0, 600), names_and_cluster())
def test_every_fault_strikes_when_time_allows(seed: int, more: float, chosen: tuple[list[str], int]) -> None:
    names, brokers = chosen
    seconds = time_needed(choose(names, brokers)) + more

    assert {strike.fault for strike in plan(seed, seconds, names, brokers)} == set(names)


@given(seeds, spans, names_and_cluster())
def test_nothing_strikes_before_the_load_flows_or_outlasts_it(seed: int, seconds: float, chosen: tuple[list[str], int]) -> None:
    names, brokers = chosen

    for strike in plan(seed, seconds, names, brokers):
        assert strike.at >= LEAD
        assert strike.at + FAULTS[strike.fault].lasts <= seconds + 0.001


@given(seeds, spans, names_and_cluster(), st.sampled_from(Kind))
def test_between_faults_of_one_kind_the_platform_breathes(seed: int, seconds: float, chosen: tuple[list[str], int], kind: Kind) -> None:
    names, brokers = chosen

    for before, after in pairwise(of_kind(plan(seed, seconds, names, brokers), kind)):
        assert after.at - before.at >= FAULTS[before.fault].lasts + LEAST_BREATH - 0.001


@given(seeds, spans, names_and_cluster(), st.sampled_from(Kind))
def test_each_fault_strikes_before_any_of_its_kind_strikes_twice(
    seed: int, seconds: float, chosen: tuple[list[str], int], kind: Kind
) -> None:
    names, brokers = chosen
    of_this_kind = [name for name in names if FAULTS[name].kind is kind]
    assume(of_this_kind and seconds >= time_needed(choose(names, brokers)))

    first = of_kind(plan(seed, seconds, names, brokers), kind)[: len(of_this_kind)]

    assert {strike.fault for strike in first} == set(of_this_kind)


@settings(max_examples=10)
@given(seeds, clusters)
def test_half_an_hour_goes_through_all_of_them_many_times(seed: int, brokers: int) -> None:
    strikes = plan(seed, 1800, [ALL], brokers)

    counts = {name: sum(strike.fault == name for strike in strikes) for name, fault in FAULTS.items() if brokers in fault.brokers}
    assert min(counts.values()) >= 10


def test_two_seeds_are_two_schedules() -> None:
    assert plan(1, 120, [ALL], 1) != plan(2, 120, [ALL], 1)


@pytest.mark.parametrize(("name", "brokers"), [("coffee-break", 1), ("two-brokers-down", 1), ("broker-cut", 3)])
def test_a_fault_that_makes_no_sense_is_refused(name: str, brokers: int) -> None:
    with pytest.raises(UnknownFault, match=name):
        plan(1, 60, [name], brokers)
