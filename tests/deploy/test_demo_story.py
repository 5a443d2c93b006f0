"""The story of the demo: the same for the same seed, and believable."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.demo.customers import answers
from deploy.demo.story import HOUR_OF_DAY, Story, arrivals, tell
from shared.events.codes import Channel, Locale, RequestType

pytestmark = pytest.mark.pure

START = datetime(2026, 11, 9, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.fixture(scope="module")
def long_story() -> Story:
    return tell(7, start=START, days=60, requests=6000)


@given(st.integers(0, 2**32))
def test_a_seed_tells_the_same_story_again(seed: int) -> None:
    assert tell(seed, start=START, days=2, requests=20) == tell(seed, start=START, days=2, requests=20)


@given(st.integers(0, 2**32), st.integers(1, 60), st.floats(0.2, 12))
def test_everybody_writes_in_order_and_within_the_days(seed: int, requests: int, days: float) -> None:
    moments = list(arrivals(Random(seed), START, days, requests))

    assert moments
    assert moments == sorted(moments)
    assert all(START <= moment < START + timedelta(days=days) for moment in moments)


def test_about_as_many_write_as_were_asked_for(long_story: Story) -> None:
    assert 5400 < len(long_story.matters) < 6600


def test_people_write_by_day_more_than_by_night(long_story: Story) -> None:
    by_hour = Counter(matter.at.hour for matter in long_story.matters)

    assert by_hour[HOUR_OF_DAY.index(max(HOUR_OF_DAY))] > 10 * by_hour[3]


def test_languages_channels_and_types_are_mixed_as_published(long_story: Story) -> None:
    total = len(long_story.matters)
    languages, channels, types = (
        Counter(getattr(each, name) for each in group)
        for group, name in ((long_story.customers, "locale"), (long_story.matters, "channel"), (long_story.matters, "type"))
    )

    assert 0.76 < languages[Locale.ZH_CN] / len(long_story.customers) < 0.84
    assert set(languages) == set(Locale)
    assert 0.30 < channels[Channel.PHONE] / total < 0.38
    assert 0.17 < types[RequestType.COMPLAINT] / total < 0.23


def test_scores_have_the_shape_of_a_j(long_story: Story) -> None:
    scores = Counter(matter.overall for matter in long_story.matters)

    assert scores[5] > scores[4] > scores[3]
    assert scores[1] > 0.05 * len(long_story.matters)
    assert 3.9 < sum(score * count for score, count in scores.items()) / len(long_story.matters) < 4.4


def test_customers_of_two_demos_are_different_people() -> None:
    one, other = tell(1, start=START, days=1, requests=30), tell(2, start=START, days=1, requests=30)

    assert not {customer.email for customer in one.customers} & {customer.email for customer in other.customers}


def test_a_customer_answers_what_he_is_asked_and_nothing_else() -> None:
    matter = tell(3, start=START, days=1, requests=5).matters[0]

    given_answers = answers(matter, [{"id": "Q0", "type": "rating"}, {"id": "Q3", "type": "rating"}, {"id": "O1", "type": "text"}])

    assert given_answers["Q0"] == matter.overall
    assert set(given_answers) == {"Q0", "Q3"}
    assert 1 <= given_answers["Q3"] <= 5


def test_who_was_not_pleased_is_so_the_second_time(long_story: Story) -> None:
    matter = next(matter for matter in long_story.matters if matter.overall == 1)
    questions = [{"id": "Q0", "type": "rating"}, {"id": "Y1", "type": "choice"}]

    assert answers(matter, questions)["Q0"] == 1
    assert answers(matter, questions, again=True) == {"Q0": 4, "Y1": "yes"}
