"""The delivery protocol holds whatever crashes, repeats, delays, loses or is restored: thousands of schedules, and known traces.

SIMULATION_SEED=1732 pytest tests/shared/test_simulation.py        plays one schedule and prints its steps when it fails
SIMULATION_SCHEDULES=100000 pytest tests/shared/test_simulation.py plays more of them
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest

from tests.shared.simulation import faults, scenarios, schedule
from tests.shared.simulation.world import Rules

pytestmark = pytest.mark.pure

SEED: Final = os.environ.get("SIMULATION_SEED")
SEEDS: Final = [int(SEED)] if SEED else list(range(int(os.environ.get("SIMULATION_SCHEDULES", "4000"))))
SHARES: Final = 8
"""The schedules are spread over so many tests, so that several workers can share them."""


@pytest.mark.parametrize("share", range(SHARES))
def test_every_accepted_event_has_its_effect_once_in_every_schedule(share: int) -> None:
    seeds = SEEDS[share::SHARES]

    outcomes = schedule.run_all(seeds)

    assert [outcome.seed for outcome in outcomes] == seeds


def test_the_same_seed_is_the_same_schedule() -> None:
    assert schedule.run_all(range(30)) == schedule.run_all(range(30))


def test_the_schedules_use_every_kind_of_fault() -> None:
    outcomes = schedule.run_all(range(200))

    used = Counter(fault for outcome in outcomes for fault in outcome.faults)
    assert used.keys() == faults.FAULTS.keys()
    assert sum(outcome.events for outcome in outcomes) > 200
    assert any(not outcome.faults for outcome in outcomes)


def test_a_failing_schedule_names_its_seed_and_its_steps() -> None:
    rules = Rules(position_lock=False)

    with pytest.raises(schedule.Failure) as failure:
        schedule.run_all(range(2000), rules)

    assert f"SIMULATION_SEED={failure.value.seed}" in str(failure.value)
    assert "tickets-0: polls" in str(failure.value)
    with pytest.raises(schedule.Failure, match=failure.value.reason.split(":")[0]):
        schedule.run(failure.value.seed, rules)


# --- traces that model checking found ---


def test_a_loss_before_a_log_goes_quiet_is_shown_by_the_heartbeat() -> None:
    scenarios.loss_before_quiet(Rules())


def test_a_loss_that_even_an_ideal_producer_cannot_notice_is_shown_by_the_heartbeat() -> None:
    scenarios.loss_of_a_repeat(Rules())


def test_a_relay_that_takes_over_does_not_take_the_tail_for_the_whole_log() -> None:
    scenarios.tail_over_a_hole(Rules())


def test_a_replay_leaves_no_event_of_its_key_behind() -> None:
    scenarios.replay_while_parking(Rules())


def test_after_a_database_error_a_consumer_reads_again_without_waiting_for_anybody() -> None:
    scenarios.lost_commit(Rules())


def test_a_reported_number_that_was_taken_back_does_not_silence_the_source() -> None:
    scenarios.report_before_set_back(Rules())


def test_a_lost_report_is_made_good_by_the_next_one_though_nothing_changed() -> None:
    scenarios.report_lost_after_set_back(Rules())


def test_rows_below_the_floor_are_no_hole() -> None:
    scenarios.cursor_below_the_floor(Rules())


def test_a_log_whose_rows_are_all_dropped_has_no_work_left() -> None:
    scenarios.all_rows_dropped(Rules())


def test_no_day_is_dropped_that_a_slow_consumer_lacks() -> None:
    scenarios.slow_consumer(Rules())


def test_a_consumer_below_the_floor_is_an_alarm_and_no_endless_sending() -> None:
    scenarios.set_back_below_the_floor(Rules())


def test_a_consumer_below_the_floor_is_helped_by_reading_the_topic_again() -> None:
    scenarios.set_back_and_reread(Rules())


def test_a_transaction_that_commits_first_has_the_lower_number() -> None:
    scenarios.second_commits_first(Rules())


def test_two_owners_of_a_partition_apply_an_event_once() -> None:
    scenarios.two_owners(Rules())


def test_a_source_restored_by_the_procedure_goes_on_where_its_consumers_are() -> None:
    scenarios.restored_by_procedure(Rules())


def test_a_source_restored_unannounced_stops_and_loses_nothing_that_it_accepted_since() -> None:
    scenarios.restored_unannounced(Rules())


def test_a_consumer_tells_two_histories_apart_when_the_broker_cannot() -> None:
    scenarios.two_histories_in_the_topic(Rules())


def test_one_number_that_stands_for_two_events_is_noticed() -> None:
    scenarios.same_number_another_event(Rules())


def test_a_row_deleted_by_hand_stops_the_log() -> None:
    scenarios.row_deleted_by_hand(Rules())


# --- rules that live in SQL and loops: what they are for ---

WITHOUT: Final[dict[str, tuple[Rules, Callable[[Rules], None]]]] = {
    "the head's row lock": (Rules(head_lock=False), scenarios.second_commits_first),
    "the position's row lock": (Rules(position_lock=False), scenarios.two_owners),
    "the parked key's row lock": (Rules(parked_lock=False), scenarios.replay_while_parking),
    "seeking after a database error": (Rules(seek_after_error=False), scenarios.lost_commit),
    "reports read from the database": (Rules(reports_from_database=False, seek_after_error=False), scenarios.report_before_set_back),
}


@pytest.mark.parametrize("rule", WITHOUT)
def test_the_trace_goes_wrong_without(rule: str) -> None:
    rules, scenario = WITHOUT[rule]

    with pytest.raises(AssertionError):
        scenario(rules)
