"""On what the figures were measured: without it they say nothing."""

from __future__ import annotations

import os
import platform
import re
import statistics
import tempfile
import timeit
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import differences
from deploy.local.kafka import java, resolve_jars
from deploy.local.postgres import PostgresServer
from shared.clock import monotonic, real_now


@dataclass(frozen=True)
class Machine:
    """Facts about the machine and the servers, for people."""

    facts: Sequence[tuple[str, str]]


def examine(postgres: PostgresServer) -> Machine:
    """Look at it; PostgreSQL's version is asked of the server."""
    facts = [
        ("Looked at", f"{real_now():%Y-%m-%d %H:%M} UTC, at the last run"),
        ("Processor", f"{_processor()}, {os.cpu_count()} cores"),
        ("Memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"),
        ("System", f"{platform.system()} {platform.release()}"),
        ("Python", platform.python_version()),
        ("Load at the start", f"{os.getloadavg()[0]:.1f} processes wanted a core in the last minute"),
        ("One core", f"{min(pace() for _ in range(3)):.2f} s for ten million additions in a loop of Python, the best of three"),
        ("A write with fsync", f"{_fsync_ms():.2f} ms"),
        ("Apache Kafka", f"{_kafka_version()} on {java()}"),
        ("PostgreSQL", postgres.query("SHOW server_version")),
        ("Other than `make run`", differences()),
    ]
    return Machine(facts)


def _processor() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.machine()


def _kafka_version() -> str:
    """By the name of its jar."""
    names = (re.fullmatch(r"kafka_2\.\d+-(.+)\.jar", jar.name) for jar in resolve_jars().iterdir())
    return next((found[1] for found in names if found), "unknown")


def pace() -> float:
    """Seconds that ten million additions in a loop of Python take now. Machines of one name differ by a factor of three, and so does one
    that others use, from hour to hour: figures in seconds with it, ratios hardly."""
    return timeit.timeit("for number in range(10_000_000): total += number", "total = 0", number=1)


def _fsync_ms() -> float:
    """Median of some writes of 8 KiB, each forced to the disk: what bounds commits one after the other."""
    took = []
    with tempfile.TemporaryFile(dir="/tmp") as file:
        for _ in range(30):
            began_at = monotonic()
            file.write(b"x" * 8192)
            file.flush()
            os.fdatasync(file.fileno())
            took.append(monotonic() - began_at)
    return statistics.median(took) * 1000
