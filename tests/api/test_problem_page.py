"""The registry of problems as it is documented."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from shared.http import problems
from tests.api.problem_page import PAGE

pytestmark = pytest.mark.pure


def page_of_a_fresh_process() -> str:
    """The page by what the services load; here, other tests may have loaded errors that only the command line knows."""
    write = "import sys; from tests.api.problem_page import page; sys.stdout.write(page())"
    return subprocess.run([sys.executable, "-c", write], cwd=PAGE.parents[1], check=True, capture_output=True, text=True).stdout


def test_the_page_of_problems_says_what_the_code_does() -> None:
    assert PAGE.read_text() == page_of_a_fresh_process(), "write it anew: python -m tests.api.problem_page"


def test_a_code_is_one_word_and_has_one_status() -> None:
    statuses: dict[str, set[int]] = {}
    for kind in problems.all_kinds():
        assert re.fullmatch("[a-z][a-z0-9_]*", kind.code), kind
        statuses.setdefault(kind.code, set()).add(problems.problem_type(kind).status)

    assert {code for code, found in statuses.items() if len(found) > 1} == set()
