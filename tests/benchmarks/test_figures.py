"""A figure is judged as its target reads, and a partial run keeps what it did not measure."""

from __future__ import annotations

import json
import math
from array import array
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.bench import differences
from benchmarks.figure import Figure, Target
from benchmarks.load import Measured, percentile
from benchmarks.machine import Machine
from benchmarks.report import Entry, keep

pytestmark = pytest.mark.pure

MACHINE = Machine([("Processor", "one")])


def test_a_bare_target_is_about_the_ratio() -> None:
    figure = Figure.of("rate", [600.0], "/s", beside="limit", beside_values=[1000.0], target=">= 0.6")

    assert figure.ok
    assert figure.judged == pytest.approx(0.6)


def test_a_target_with_a_unit_is_about_the_value() -> None:
    figure = Figure.of("rate", [9_000.0], "events/s", beside="limit", beside_values=[1000.0], target=">= 10,000 events/s")

    assert not figure.ok
    assert figure.judged == 9_000.0


def test_rounds_are_compared_one_by_one() -> None:
    # the machine was twice as slow in the second round, for both
    figure = Figure.of("rate", [100.0, 50.0, 100.0], "/s", beside="limit", beside_values=[200.0, 100.0, 200.0], target=">= 0.5")

    assert figure.ratio == 0.5
    assert figure.spread == (50.0, 100.0)


def test_a_text_that_is_no_target_is_refused() -> None:
    with pytest.raises(ValueError, match="reads like"):
        Target.parse("about 5")


def test_a_percentile_is_that_of_a_request_that_was_made() -> None:
    latencies = array("d", [float(number) for number in range(1, 101)])
    measured = Measured(1.0, 100, {"accepted": 100}, 0, 0, 100, 0.0, latencies)

    assert [measured.percentile(share) for share in (0.5, 0.99, 1.0)] == [50.0, 99.0, 100.0]


def test_a_percentile_is_never_less_than_its_share_says() -> None:
    # of ten values nine tenths are the ninth, and whatever is more than that is the tenth
    assert [percentile([7.0, 1, 9, 3, 5, 10, 2, 8, 4, 6], share) for share in (0.0, 0.1, 0.9, 0.91, 0.99)] == [1, 1, 9, 10, 10]
    assert percentile([4.0], 0.5) == 4.0
    assert math.isnan(percentile([], 0.5))


def test_a_partial_run_replaces_its_own_figures_only(tmp_path: Path) -> None:
    def entry(benchmark: str, value: float) -> Entry:
        figure = Figure.of(f"{benchmark} figure", [value], "/s", target=">= 5 /s")
        return Entry(benchmark, "2026-11-25T18:00:00+00:00", False, (0.5, 0.75), figure)

    keep([entry("accept", 1.0), entry("relay", 6.0)], ["accept", "relay"], MACHINE, tmp_path)
    keep([entry("accept", 7.0)], ["accept", "relay"], MACHINE, tmp_path)

    kept = json.loads((tmp_path / "figures.json").read_text())
    assert [(figure["what"], figure["value"], figure["ok"]) for figure in kept] == [
        ("accept figure", 7.0, True),
        ("relay figure", 6.0, True),
    ]
    assert "| accept figure | 7 /s |" in (tmp_path / "results.md").read_text()
    assert "accept figure" in (tmp_path / "figures.svg").read_text()


def test_a_figure_says_when_it_was_measured_and_at_which_pace_of_the_machine(tmp_path: Path) -> None:
    early = Entry("accept", "2026-11-25T20:00:00+02:00", False, (), Figure.of("early figure", [1.0], "/s"))
    late = Entry("relay", "2026-11-26T09:30:00+00:00", False, (0.5, 0.754), Figure.of("late figure", [1.0], "/s"))

    keep([early], ["accept", "relay"], MACHINE, tmp_path)
    keep([late], ["accept", "relay"], MACHINE, tmp_path)

    rows = [line for line in (tmp_path / "results.md").read_text().splitlines() if "figure |" in line]
    assert [row.split(" | ")[-2:] for row in rows] == [["2026-11-25 18:00", " |"], ["2026-11-26 09:30", "0.50, then 0.75 s |"]]
    assert [figure["pace"] for figure in json.loads((tmp_path / "figures.json").read_text())] == [[], [0.5, 0.754]]


def test_the_report_names_the_settings_that_make_run_does_not_have() -> None:
    told = differences()

    assert "min_wal_size = 1024MB" in told
    assert "AFTERCARE_RATE_LIMIT = 0" in told
    # as `make run` has it
    assert "shared_buffers" not in told


def test_every_benchmark_says_what_it_measures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0

    listed = capsys.readouterr().out
    assert all(name in listed for name in ("accept", "memory", "instances", "peers"))


def test_a_benchmark_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "nothing"]) == 2

    assert "No benchmark nothing" in capsys.readouterr().out
