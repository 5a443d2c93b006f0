"""The same calls to Aftercare and to a peer, django-helpdesk, on the same PostgreSQL: how fast, and what becomes of it with more tickets.

The peer has the machine to itself and is served as it should be: gunicorn with threads, DEBUG off, kept connections, tokens. Aftercare does
its creates while all four services work on them. Neither sends mails: the peer's would be dropped. One run, however many rounds are
asked for: at a hundred thousand tickets one call of the peer takes minutes. Each figure says so.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import secrets
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg

from benchmarks import load, requests
from benchmarks.bench import QUIET, Bench
from benchmarks.cpu import CpuMeter
from benchmarks.figure import Figure
from benchmarks.load import Load, request
from benchmarks.platform import Platform
from deploy.local.child import Program
from deploy.local.ports import free_port
from deploy.local.server import Server

NAME = "peers"
ABOUT = "creates, reads, lists and searches beside django-helpdesk, at 1 thousand and 100 thousand tickets (make bench-peers)"

ROOT: Final = Path(__file__).parents[1]
PYTHON: Final = ROOT / ".venv-peers" / "bin" / "python"
CORES: Final = os.cpu_count() or 2
WORKERS: Final = 2 * CORES + 1
"""As gunicorn's documentation advises."""
THREADS: Final = 2
CALLERS: Final = 128
"""Of the closed loop of creates to Aftercare, as in `accept`."""
CALLERS_OF_PEER: Final = 16
"""More of them only wait longer: it answers ten at a time."""
BATCH: Final = 250
READS: Final = ("get", "list", "search")
PATIENCE: Final = 300.0
"""Seconds that one call of the peer may take."""

Calls = Mapping[str, Sequence[str]]
"""`{create, get, list, search: calls as they go over the wire}`."""


@dataclass(frozen=True)
class Side:
    """One of the two at one size, ready to be measured."""

    name: str
    desk: str
    """Address for reads."""
    door: str
    """Address for creates."""
    calls: Calls
    callers: int
    pids: Mapping[str, int]
    """All that works on a create."""
    settle: Callable[[], Awaitable[object]]
    """Returns when everything that follows from the creates is done."""


@dataclass
class Found:
    """What was measured of it."""

    creates: float = 0.0
    """A second."""
    cpu: float = 0.0
    """Microseconds of everything for each create, whatever follows from it included."""
    reads: dict[str, float] = field(default_factory=dict)
    """Median latency in ms."""


async def run(bench: Bench) -> list[Figure]:
    """Fill, measure, fill further, measure again; one after the other."""
    sizes = [bench.count(1_000, 200), bench.count(100_000, 1_000)]
    ours = await _aftercare(bench, sizes)
    theirs = await _peer(bench, sizes)
    return _figures(sizes, ours, theirs)


async def _measure(bench: Bench, side: Side, *, reads: int) -> Found:
    """Reads first, one at a time, so that they see the size; then creates."""
    found = Found()
    for kind in READS:
        bench.say(f"{side.name}: {kind}")
        one = Load(side.desk, side.calls[kind], seconds=PATIENCE, connections=1, warm_up=0, most=reads, grace=PATIENCE)
        measured = await load.run(one)
        measured.require_clean()
        found.reads[kind] = measured.percentile(0.5)
    bench.say(f"{side.name}: creates")
    with CpuMeter(side.pids) as cpu:
        created = await load.run(Load(side.door, side.calls["create"], seconds=bench.seconds(20, 4), connections=side.callers, warm_up=0.0))
        await side.settle()
    created.require_clean(but=0.2)  # who is at his limit refuses some; the rate is that of what was accepted
    found.creates, found.cpu = created.rate, cpu.total / created.accepted * 1e6
    return found


# ------------------------------------------------------------------ Aftercare


async def _aftercare(bench: Bench, sizes: Sequence[int]) -> list[Found]:
    found = []
    async with bench.platform(env=QUIET) as platform:
        for size in sizes:
            await _fill(bench, platform, size)
            side = Side(
                name=f"Aftercare at {size:,} tickets",
                desk=platform.url("tickets"),
                door=platform.url("intake"),
                calls=await _own_calls(platform, str(size)),
                callers=CALLERS,
                pids=platform.pids,
                settle=lambda: platform.settle(timeout=1800),
            )
            found.append(await _measure(bench, side, reads=bench.count(200, 20)))
    return found


async def _fill(bench: Bench, platform: Platform, size: int) -> None:
    """Through Aftercare's own door, so that the tickets are what they are."""
    bench.say(f"Aftercare: filling up to {size:,} tickets")
    missing = size - int(await _tickets(platform, "SELECT count(*) FROM ticket"))
    if missing <= 0:
        return
    calls = requests.batches(platform.url("intake"), platform.headers("service"), size=min(BATCH, missing), name=f"f{size}x")
    count = -(-missing // BATCH)
    measured = await load.run(
        Load(platform.url("intake"), calls, seconds=3600, connections=2, warm_up=0, most=count, accepted=(207,), grace=60)
    )
    measured.require_clean()
    await platform.settle(timeout=1800)
    await _tickets(platform, "ANALYZE")


async def _own_calls(platform: Platform, name: str) -> Calls:
    numbers = json.loads(await _tickets(platform, "SELECT json_agg(number) FROM (SELECT number FROM ticket ORDER BY random() LIMIT 500) t"))
    tickets, headers = platform.url("tickets"), platform.headers("agent")
    return {
        "create": requests.creations(platform.url("intake"), platform.headers("service"), name=f"c{name}"),
        "get": [request("GET", f"{tickets}/v1/tickets/{number}", headers=headers) for number in numbers],
        "list": [request("GET", f"{tickets}/v1/tickets?limit=25", headers=headers)],
        "search": [request("GET", f"{tickets}/v1/tickets?q=K-100&limit=25", headers=headers)],
    }


async def _tickets(platform: Platform, sql: str) -> Any:
    connection = await asyncpg.connect(platform.databases["tickets"], server_settings={"statement_timeout": "0"})
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


# ------------------------------------------------------------------ the peer


class Peer(Server):
    """django-helpdesk, served by gunicorn."""

    start_time = 300.0

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        super().__init__("django-helpdesk")
        self._environment = environment
        self._log = log
        self._port = free_port()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    def prepare(self) -> None:
        """Nothing: `benchmarks.peer.fill` makes its tables."""

    def program(self) -> Program:
        options = ["--workers", str(WORKERS), "--worker-class", "gthread", "--threads", str(THREADS), "--keep-alive", "75"]
        options += ["--timeout", str(int(2 * PATIENCE)), "--no-control-socket", "--bind", f"127.0.0.1:{self._port}"]
        argv = [str(PYTHON), "-m", "gunicorn", *options, "benchmarks.peer.wsgi"]
        return Program(self.name, argv, self._log, env=self._environment, cwd=ROOT)

    def serves(self) -> bool:
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)) as connection,
        ):
            connection.request("GET", "/api/tickets/")
            return connection.getresponse().status in {401, 403}  # no token: but it is up
        return False


async def _peer(bench: Bench, sizes: Sequence[int]) -> list[Found]:
    url = bench.empty_database("peer")
    own = {"DATABASE_URL": url, "PEER_SECRET": secrets.token_urlsafe(), "DJANGO_SETTINGS_MODULE": "benchmarks.peer.settings"}
    environment = bench.environment | own
    found = []
    for size in sizes:
        bench.say(f"django-helpdesk: filling up to {size:,} tickets")
        told = _fill_peer(environment, size)
        with Peer(environment, bench.folder / "peer.log") as peer:
            side = Side(
                name=f"django-helpdesk at {size:,} tickets",
                desk=peer.url,
                door=peer.url,
                calls=_peer_calls(told, peer.url),
                callers=CALLERS_OF_PEER,
                pids={"peer": peer.child.pid, "PostgreSQL": bench.postgres.child.pid},
                settle=_nothing_follows,
            )
            found.append(await _measure(bench, side, reads=bench.count(50, 10) if size == sizes[0] else 3))
    await bench.drop(url)
    return found


async def _nothing_follows() -> None:
    """A create of the peer is done when it is answered."""


def _fill_peer(environment: Mapping[str, str], size: int) -> Mapping[str, Any]:
    """By its own models, in bulk; what a caller needs to know."""
    fill = [str(PYTHON), "-m", "benchmarks.peer.fill", str(size)]
    filled = subprocess.run(fill, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(filled.stdout)
    return told


def _peer_calls(told: Mapping[str, Any], url: str) -> Calls:
    """Its API; the search is that of its list of tickets, because the API has none."""
    token = {"Authorization": f"Token {told['token']}"}
    cookie = {"Cookie": f"sessionid={told['session']}"}
    created = {"queue": told["queue"], "priority": 3, "title": "K-100 does not work any more", "description": requests.TEXT}
    created["submitter_email"] = f"c{load.NUMBER}@example.com"
    query = base64.b64encode(json.dumps({"search_string": "K-100", "sorting": "created", "sortreverse": True}).encode()).decode()
    return {
        "create": [request("POST", f"{url}/api/tickets/", headers=token, body=created)],
        "get": [request("GET", f"{url}/api/tickets/{number}/", headers=token) for number in told["tickets"]],
        "list": [request("GET", f"{url}/api/tickets/?page_size=25", headers=token)],
        "search": [request("GET", f"{url}/datatables_ticket_list/{query}?length=25", headers=cookie)],
    }


# ------------------------------------------------------------------ figures


def _figures(sizes: Sequence[int], ours: Sequence[Found], theirs: Sequence[Found]) -> list[Figure]:
    figures = [figure for size, own, peer in zip(sizes, ours, theirs, strict=True) for figure in _creates(size, own, peer)]
    small, large = sizes
    for kind in READS:
        figures += [
            Figure.of(
                f"{kind} at {large:,} tickets, Aftercare (median)",
                [ours[1].reads[kind]],
                "ms",
                beside=f"at {small:,}",
                beside_values=[ours[0].reads[kind]],
                target="<= 1.5",
                bound="one index look-up and the way through HTTP; one run",
            ),
            Figure.of(
                f"{kind} at {large:,} tickets, django-helpdesk (median)",
                [theirs[1].reads[kind]],
                "ms",
                beside=f"at {small:,}",
                beside_values=[theirs[0].reads[kind]],
                bound="it looks at every ticket for each answer; one run",
            ),
        ]
    return figures


def _creates(size: int, own: Found, peer: Found) -> list[Figure]:
    return [
        Figure.of(
            f"creates at {size:,} tickets, all four services running",
            [own.creates],
            "/s",
            beside="django-helpdesk, alone",
            beside_values=[peer.creates],
            target=">= 30",
            bound="see accept; one run",
        ),
        Figure.of(
            f"CPU per create at {size:,} tickets: services, PostgreSQL and broker, until it stands in the KPIs",
            [own.cpu],
            "µs",
            beside="django-helpdesk and its PostgreSQL",
            beside_values=[peer.cpu],
            bound="see chain; one run",
        ),
    ]
