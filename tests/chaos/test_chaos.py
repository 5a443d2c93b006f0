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
from tests.chaos import poison
from tests.chaos.schedule import ALL, choose

pytestmark = pytest.mark.chaos

SEED: Final = 20261125
SECONDS: Final = 60
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
    assert {*found["faults"], *found["skipped"]} == {fault.name for fault in choose([ALL], brokers=1)}, "a fault was not planned"
    assert len(found["faults"]) > len(found["skipped"]), f"hardly anything was broken: {found['skipped']}"
    done = found["done"]
    assert done["actions"], "nobody worked on a ticket"
    assert {"surveys answered", "surveys answered again", "surveys answered late"} <= done.keys(), "customers did not do all that they do"
    assert all(done[f"parked events replayed in {service}"] for service in poison.SERVICES), "nothing was parked"
