"""What a run prints to be played again is that run."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.__main__ import options_of
from tests.chaos.faults import FAULTS
from tests.chaos.mutants import MUTANTS
from tests.chaos.run import Options

pytestmark = pytest.mark.pure

SECONDS = st.integers(1, 7_200).map(lambda halves: halves / 2)


@given(
    st.builds(
        Options,
        seconds=SECONDS,
        rate=SECONDS,
        faults=st.just(()) | st.just(("all",)) | st.lists(st.sampled_from(sorted(FAULTS)), min_size=1, unique=True).map(tuple),
        seed=st.integers(0, 10**9),
        brokers=st.sampled_from((1, 3)),
        mutant=st.none() | st.sampled_from(sorted(MUTANTS)),
        patience=SECONDS,
    )
)
def test_the_command_of_a_run_plays_the_same_run(options: Options) -> None:
    interpreter, flag, module, *arguments = shlex.split(options.command)

    assert (interpreter, flag, module) == ("python", "-m", "tests.chaos")
    assert options_of(arguments) == options
