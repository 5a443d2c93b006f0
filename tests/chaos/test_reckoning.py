"""The harness's own arithmetic over the ledger, on ledgers small enough to reckon by hand."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tests.chaos.ledger import Action, Entry, Given, Ledger
from tests.chaos.reconcile.figures import Resolution, Unseen, digest, figures, groups, is_low
from tests.chaos.story import MARK, Story

pytestmark = pytest.mark.pure


def reckoned(
    ledger: Ledger, resolutions: dict[bytes, Resolution] | None = None, unseen: Unseen | None = None
) -> dict[str, tuple[int, int | None]]:
    found = figures(ledger, unseen or Unseen(), resolutions or {})
    return {figure.kpi: (figure.n, figure.numerator) for figure in found}


def acknowledged(ledger: Ledger, story: Story, count: int) -> None:
    for _ in range(count):
        entry = story.new()
        answer = {"reference": f"AS-{entry.number}", "request_id": str(entry.number)}
        ledger.acknowledge(entry, answer, b"", 1.0)


def test_a_request_without_an_acknowledgement_is_not_promised() -> None:
    ledger = Ledger()
    story = Story(Random(1), ledger, "t")
    acknowledged(ledger, story, 3)
    story.new()

    assert reckoned(ledger)["requests"] == (3, None)


def test_a_merged_ticket_is_no_ticket_and_its_reply_no_response() -> None:
    ledger = Ledger()
    acknowledged(ledger, Story(Random(1), ledger, "t"), 3)
    ledger.actions += [Action("AS-1", "reply", 2), Action("AS-2", "merge", 2)]

    assert reckoned(ledger)["tickets_opened"] == (2, None)
    assert reckoned(ledger)["first_response_time"] == (1, None)


def test_a_resolution_is_reopened_once_whoever_says_so() -> None:
    ledger = Ledger()
    ledger.actions += [Action("AS-1", "resolve", 3), Action("AS-1", "resolve", 5)]
    ledger.reopened.add(("AS-1", 1))
    ledger.answers["token"] = Given({"Q0": 1, "Y1": "no"})

    assert reckoned(ledger, {digest("token"): ("AS-1", 1)})["reopen_rate"] == (2, 1)


def test_what_happened_before_its_caller_lost_patience_counts() -> None:
    ledger = Ledger()
    acknowledged(ledger, Story(Random(1), ledger, "t"), 3)
    ledger.actions += [Action("AS-1", "reply", 2), Action("AS-1", "resolve", 3)]
    unseen = Counter({("AS-1", "resolve"): 1, ("AS-2", "reply"): 1, ("AS-3", "merge"): 1, ("AS-2", "resolve"): 0})
    found = reckoned(ledger, unseen=Unseen(actions=unseen))

    assert (found["tickets_resolved"], found["first_response_time"], found["tickets_opened"]) == ((2, None), (2, None), (2, None))


def test_an_answer_whose_acknowledgement_was_not_seen_counts_like_others() -> None:
    ledger = Ledger()
    ledger.actions.append(Action("AS-1", "resolve", 3))
    found = reckoned(ledger, unseen=Unseen(answers={("AS-1", 1): {"Q0": 2, "N1": 10}}))

    assert (found["csat_mean"], found["nps"], found["reopen_rate"]) == ((1, 2), (1, 1), (1, 1))


def test_requests_are_told_by_channel_and_tickets_by_type() -> None:
    ledger = Ledger()
    story = Story(Random(1), ledger, "t")
    acknowledged(ledger, story, 3)
    story.new()
    sent = [ledger.entries[number].body for number in (1, 2, 3)]
    ledger.actions.append(Action("AS-2", "merge", 2))
    found = list(groups(ledger, Unseen()))

    assert Counter({each.group: each.n for each in found if each.kpi == "requests"}) == Counter(body["channel"] for body in sent)
    assert Counter({each.group: each.n for each in found if each.kpi == "tickets_opened"}) == Counter((sent[0]["type"], sent[2]["type"]))


def test_scores_are_those_of_the_overall_question() -> None:
    ledger = Ledger()
    ledger.answers = {"a": Given({"Q0": 5, "Q1": 1, "N1": 9}), "b": Given({"Q0": 3, "N1": 6}), "c": Given({"Y1": "yes"})}
    found = reckoned(ledger, {digest(token): ("AS-1", 1) for token in "abc"})

    assert (found["csat_mean"], found["csat_top2"], found["nps"]) == ((2, 8), (2, 1), (2, 0))


@pytest.mark.parametrize(("answers", "low"), [({"Q0": 2}, True), ({"Q0": 3}, False), ({"Y1": "no"}, True), ({"Y1": "partly"}, False)])
def test_a_low_answer_says_that_the_solution_did_not_hold(answers: dict[str, object], low: bool) -> None:
    assert is_low(answers) is low


def test_the_same_reference_given_twice_is_wrong() -> None:
    ledger = Ledger()
    story = Story(Random(1), ledger, "t")
    for entry in (story.new(), story.new()):
        ledger.acknowledge(entry, {"reference": "AS-1", "request_id": str(entry.number)}, b"", 1.0)

    assert len(ledger.wrong) == 1


def test_a_seed_tells_the_same_story_twice() -> None:
    def told() -> list[Entry]:
        ledger = Ledger()
        story = Story(Random("7/story"), ledger, "c7")
        for _ in range(500):
            entry = story.next()
            ledger.acknowledge(entry, {"reference": f"AS-{entry.number}", "request_id": str(entry.number)}, b"", 1.0)
            story.keep(entry)
        return list(ledger.entries.values())

    first = told()

    assert first == told()
    assert {entry.kind for entry in first} == {"new", "reply", "product", "talk"}
    assert any(MARK in str(entry.body) for entry in first)
