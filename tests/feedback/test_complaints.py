"""Which comments complain, why, and which ones the list cannot see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.feedback.survey.complaints import MOST_WORDS, complaint_words

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("comment", "words"),
    [
        ("我要投诉你们的客服", ["投诉"]),
        ("我要投訴你們的客服", ["投訴"]),
        ("师傅态度很差，等了三天", ["态度很差", "等了三天"]),
        ("師傅態度太差，等了兩個小時", ["態度太差", "等了兩個小時"]),
        ("还没修好", ["还没修"]),
        ("問題沒有解決", ["沒有解決"]),
        ("服务很好，但是价格太贵", ["太贵"]),
        ("打12315", ["12315"]),
        ("The technician was RUDE.", ["rude"]),
        ("Nice people but it's still broken", ["still broken"]),
        ("It doesn’t work. I want a refund!", ["doesn't work", "refund"]),
        ("Nobody came, I waited for two days", ["nobody came", "waited for two days"]),
        ("not only slow but rude", ["rude"]),
    ],
)
def test_a_complaint_is_found_with_the_words_it_rests_on(comment: str, words: list[str]) -> None:
    assert complaint_words(comment) == words


@pytest.mark.parametrize(
    "comment",
    [
        "没有问题，非常满意",
        "沒有任何問題",
        "不会再有问题了",
        "问题都解决了",
        "漏水已经修好",
        "一点也不慢",
        "态度不差",
        "不是投诉，只是建议",
        "从来没有失望过",
        "師傅很專業，謝謝",
        "Not bad at all",
        "No problem, thanks",
        "no refund needed",
        "I was never disappointed",
        "The leak is fixed",
        "My problem was solved quickly",
        "Without any problems",
        "Great service!",
        "",
        "   ",
        "👍👍👍",
    ],
)
def test_praise_and_what_is_turned_round_are_no_complaint(comment: str) -> None:
    assert complaint_words(comment) == []


def test_no_comment_is_no_complaint() -> None:
    assert complaint_words(None) == []


@pytest.mark.parametrize("comment", ["真棒，打了五次电话才有人接", "Great service, as always. Only took a month."])
def test_irony_without_a_word_of_the_list_is_not_seen(comment: str) -> None:
    # a known limit: named in the module, and the reason why the flag is never a figure
    assert complaint_words(comment) == []


@pytest.mark.parametrize("comment", ["以前总是坏了没人修，现在好多了", "It used to be terrible, now it is fine"])
def test_praise_that_quotes_an_old_complaint_is_flagged(comment: str) -> None:
    # the other known limit: a reason to read the comment, nothing more
    assert complaint_words(comment) != []


@given(st.text(max_size=300))
def test_the_words_are_the_comments_own_few_and_each_once(comment: str) -> None:
    words = complaint_words(comment)

    assert len(words) == len(set(words)) <= MOST_WORDS
    assert all(word in comment.casefold().replace("’", "'") for word in words)


@given(st.sampled_from(["太慢了", "I want a refund", "没解决"]), st.sampled_from(["谢谢", "好的", "thanks", "bye"]))
def test_another_sentence_changes_nothing(complaint: str, other: str) -> None:
    alone = complaint_words(complaint)

    assert alone
    assert complaint_words(f"{other}. {complaint}") == alone
    assert complaint_words(f"{complaint}。{other}") == alone


def test_twenty_thousand_characters_are_read_in_one_go() -> None:
    assert complaint_words("bad " * 5_000) == ["bad"]
    assert complaint_words("没有" * 10_000) == []
