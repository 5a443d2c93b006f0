"""What a load is, and what came of it; the generator itself is a process of its own (`generator.py`).

A closed loop has so many callers that each send the next request when the last was answered (a refused one waits as it was asked to): it
finds the maximum. An open loop sends at intended times, whatever the answers do, and latency counts from the intended time: a server that
stalls is charged for everybody who would have called meanwhile (no coordinated omission).
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import tempfile
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from deploy.local.child import Child, ChildFailed, Program

NUMBER: Final = "~~~~~~~~~~"
"""Where a request holds this, the generator writes its number, ten digits: so each is another one and all have one length."""


def request(method: str, url: str, *, headers: Mapping[str, str] | None = None, body: Any = None) -> str:
    """One HTTP/1.1 request as it goes over the wire; `body` is sent as JSON."""
    parts = urlsplit(url)
    content = "" if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    lines = {"Host": parts.netloc, **(headers or {})}
    if body is not None:
        lines |= {"Content-Type": "application/json", "Content-Length": str(len(content.encode()))}
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n{content}"


@dataclass(frozen=True)
class Load:
    """What to send to one server, how and for how long."""

    url: str
    """The server; of the address only host and port count."""
    requests: Sequence[str]
    """Taken in turn, over and over; see `request`."""
    seconds: float
    """How long is measured."""
    rate: float | None = None
    """Requests a second at intended times, at random intervals as of callers who know nothing of each other; None: a closed loop."""
    connections: int = 64
    """Kept alive. In a closed loop all are busy; an open loop that has none free lets the request wait, and its latency grows."""
    warm_up: float = 3.0
    """Seconds before, that do not count."""
    grace: float = 15.0
    """Seconds after the end in which late answers are still waited for."""
    first_number: int = 0
    most: int = 10_000_000
    """Requests at most; the load ends when they are sent."""
    accepted: Sequence[int] = (200, 201, 202)
    """Statuses that count as done."""
    keep_answers: bool = False
    """Whether every answer is kept; costs the generator time."""
    seed: int = 1


@dataclass(frozen=True)
class Answer:
    """One answer that was kept. Times are those of `shared.clock.monotonic`, which all processes of the machine share."""

    number: int
    intended_at: float
    answered_at: float
    status: int
    body: str


@dataclass(frozen=True)
class Measured:
    """What was measured between warm-up and end."""

    seconds: float
    done: int
    """Accepted answers that came in this time."""
    statuses: Mapping[str, int]
    """How many answers of each status, warm-up included."""
    broken: int
    """Connections that ended under a request."""
    unanswered: int
    """Requests that had no answer at the end of the grace; they stand in the latencies with what they had waited."""
    sent: int
    """All requests, warm-up included."""
    cpu: float
    """CPU seconds of the generator in the same time."""
    latencies: array[float]
    """Milliseconds from the intended time to the accepted answer, of every request of this time, ascending; one that was refused, or whose
    connection broke, counts as if it had waited for the whole grace."""
    answers: Sequence[Answer] = ()

    @property
    def rate(self) -> float:
        """Accepted answers a second."""
        return self.done / self.seconds

    @property
    def failed(self) -> int:
        """Whatever was not accepted."""
        return self.failures.total()

    @cached_property
    def accepted(self) -> int:
        """Accepted answers, warm-up included."""
        return int(self.statuses.get("accepted", 0))

    @property
    def cpu_us(self) -> float:
        """The generator's own CPU per request, in microseconds: it must be less than the server's."""
        return self.cpu / max(1, self.done) * 1e6

    @property
    def failures(self) -> Counter[str]:
        """How many were not accepted, by what became of them: `{"503": 12, "broken": 1}`."""
        refused = {status: count for status, count in self.statuses.items() if status != "accepted"}
        # + leaves out what did not happen
        return +Counter(refused | {"broken": self.broken, "unanswered": self.unanswered})

    def percentile(self, share: float) -> float:
        """The latency (ms) that this share of the requests did not exceed; of all of them, not of a sample."""
        return percentile(self.latencies, share)

    def require_clean(self, *, but: float = 0.0) -> None:
        """Raise when more than this share was refused, broken or unanswered: a figure over such a run says nothing."""
        if self.failed > but * self.sent:
            raise LoadFailed(f"{self.failed} of {self.sent} requests failed: {in_words(self.failures)}")


def percentile(values: Sequence[float], share: float) -> float:
    """The least of the values that this share of them does not exceed: one that was measured, none in between. NaN of none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def in_words(failures: Mapping[str, int]) -> str:
    """For people: `503: 12, broken: 1`."""
    return ", ".join(f"{what}: {count:,}" for what, count in failures.items()) or "none"


class LoadFailed(Exception):
    """The server did not do what was asked of it."""


async def run(load: Load) -> Measured:
    """Start the generator, let it send, and read what it found. From the main thread (see `deploy.local.tether`)."""
    with tempfile.TemporaryDirectory(prefix="aftercare-load-", dir="/tmp") as name:
        folder = Path(name)
        (folder / "load.json").write_text(json.dumps(asdict(load)))
        argv = [sys.executable, "-m", "benchmarks.generator", str(folder)]
        child = Child(Program("load generator", argv, folder / "log", cwd=Path(__file__).parents[1]))
        child.start()
        try:
            patience = load.warm_up + load.seconds + 2 * load.grace + 60
            if not await asyncio.to_thread(child.wait, patience) or child.exit_code != 0:
                raise ChildFailed(child.name, child.how_it_ended(), child.last_lines())
        finally:
            child.kill()
        return _read(folder, load)


def _read(folder: Path, load: Load) -> Measured:
    found = json.loads((folder / "measured.json").read_text())
    latencies: array[float] = array("d", (folder / "latencies").read_bytes())
    answers = [Answer(*json.loads(line)) for line in (folder / "answers").open()] if load.keep_answers else []
    return Measured(**found, latencies=latencies, answers=answers)
