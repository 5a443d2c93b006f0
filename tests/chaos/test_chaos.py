"""One chaos run with a fixed seed, on Apache Kafka, as part of every test run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from deploy.local.kafka import KafkaUnavailable, java, resolve_jars

pytestmark = pytest.mark.chaos

SEED: Final = 20261125
SECONDS: Final = 50
RATE: Final = 30
LIMIT: Final = 600
"""Seconds after which the run is given up."""


def test_nothing_is_lost_or_counted_twice_whatever_dies(tmp_path: Path) -> None:
    try:
        java()
        resolve_jars()
    except KafkaUnavailable as missing:
        pytest.fail(str(missing)) if os.environ.get("CI") == "true" else pytest.skip(str(missing))
    report = tmp_path / "report.json"
    asked = ("--seconds", str(SECONDS), "--rate", str(RATE), "--seed", str(SEED), "--faults", "all", "--json", str(report))

    run = subprocess.run([sys.executable, "-m", "tests.chaos", *asked], capture_output=True, text=True, timeout=LIMIT, check=False)

    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(report.read_text())
    assert found["acked"] > SECONDS * RATE / 2
    assert len(found["faults"]) > 5, "hardly anything was broken"
    assert found["done"]["actions"], "nobody worked on a ticket"
    assert found["done"]["surveys answered"], "nobody answered a survey"
    assert found["done"]["parked events replayed"], "nothing was parked"
