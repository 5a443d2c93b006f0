"""The registry of problems as it is documented."""

from __future__ import annotations

import re

import pytest

from shared.http import problems
from tests.api.problem_page import PAGE, page

pytestmark = pytest.mark.pure


def test_the_page_of_problems_says_what_the_code_does() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tests.api.problem_page"


def test_a_code_is_one_word_and_has_one_status() -> None:
    statuses: dict[str, set[int]] = {}
    for kind in problems.all_kinds():
        assert re.fullmatch("[a-z][a-z0-9_]*", kind.code), kind
        statuses.setdefault(kind.code, set()).add(problems.problem_type(kind).status)

    assert {code for code, found in statuses.items() if len(found) > 1} == set()
