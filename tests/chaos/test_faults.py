"""The faults do what they say: a cut loses acknowledged records, a hole is a hole, a full disk refuses, forged records are there, a living
process sees its clock jump. One that finds nothing to do, or is disturbed at it, does not count."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from random import Random
from uuid import uuid4

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from deploy.local.child import Child as Life
from deploy.local.child import Program, is_frozen
from deploy.local.home import Home
from deploy.local.ports import free_port
from shared import clock, kafka
from shared.database import Database
from shared.events.topics import INTAKE, TICKETS, Topic
from shared.kafka import KafkaSettings, topics
from shared.kafka.records import OutboxRow, decode
from tests.chaos.faults import FAULTS, Fault, Kind, Skipped
from tests.chaos.faults.brokers import BrokerCut, TwoBrokersDown
from tests.chaos.faults.clocks import ClockJump
from tests.chaos.faults.databases import HotRowLocked, connection, hot_rows
from tests.chaos.faults.full_disk import FullDisk, require_mounts
from tests.chaos.faults.processes import KillConsumer, KillSeveral, PauseConsumer, frozen
from tests.chaos.faults.records import HoleInTopic, RecordsForeign, RecordsReordered, RecordsRepeated, delete, foreign_to
from tests.chaos.faults.writing import Forged, copy_of, patiently, write
from tests.chaos.platform import ROOT, Child, Platform, new_home
from tests.chaos.servers import Broker, Postgres, brokers
from tests.chaos.skewed import jump, skew
from tests.waiting import eventually

PART = 3


@asynccontextmanager
async def nothing_runs(nodes: int) -> AsyncIterator[Platform]:
    """A platform of which nothing runs yet; what was started of it is ended."""
    home = new_home()
    cluster = brokers(home, nodes)
    environment = {"KAFKA_BOOTSTRAP_SERVERS": ",".join(node.server.bootstrap_servers for node in cluster)}
    platform = Platform(home, Postgres(home), cluster, environment, {})
    try:
        yield platform
    finally:
        await platform.stop()
        shutil.rmtree(home.path, ignore_errors=True)


@pytest.fixture
async def bare() -> AsyncIterator[Platform]:
    """With one broker."""
    async with nothing_runs(1) as platform:
        yield platform


@pytest.fixture
async def cluster() -> AsyncIterator[Platform]:
    """Its three brokers run and have the topics, three copies of each."""
    async with nothing_runs(3) as platform:
        for node in platform.brokers:
            await node.begin()
        for node in platform.brokers:
            await node.await_ready()
        await topics.apply(KafkaSettings(platform.bootstrap), replication=3)
        yield platform


@pytest.fixture
async def broker(bare: Platform) -> Platform:
    """Its broker runs and has the topics."""
    await bare.brokers[0].start()
    await topics.apply(KafkaSettings(bare.bootstrap))
    return bare


def row(seq: int, topic: Topic = TICKETS) -> OutboxRow:
    """Some row of a log."""
    return OutboxRow((topic.name, PART), seq, "T-1", "ticket.opened.v1", uuid4(), uuid4(), {"ce_epoch": "1"}, b"{}")


async def records(platform: Platform, topic: Topic = TICKETS) -> list[ConsumerRecord[bytes | None, bytes | None]]:
    """What the topic's partition holds now."""
    settings = KafkaSettings(platform.bootstrap)
    partition = settings.partition((topic.name, PART))
    reader: AIOKafkaConsumer = kafka.new_reader(settings)
    await reader.start()
    try:
        reader.assign([partition])
        begin, end = (await reader.beginning_offsets([partition]))[partition], (await reader.end_offsets([partition]))[partition]
        reader.seek(partition, begin)
        found: list[ConsumerRecord[bytes | None, bytes | None]] = []
        while begin < end and await reader.position(partition) < end:
            found += (await reader.getmany(partition, timeout_ms=200)).get(partition, [])
        return found
    finally:
        await kafka.close(reader)


async def numbers(platform: Platform, topic: Topic = TICKETS) -> list[int]:
    """The numbers of what is ours there."""
    return [decoded.seq for record in await records(platform, topic) if (decoded := decode(topic, record)) is not None]


@pytest.mark.pure
@pytest.mark.parametrize("seed", range(20))
def test_foreign_records_have_no_number_that_anybody_waits_for(seed: int) -> None:
    forged = foreign_to(row(9), used=4, random=Random(seed))

    understood = [decode(TICKETS, as_read(record)) for record in forged]

    assert [record.seq for record in understood if record is not None] == [4]
    assert len(forged) > 5


def as_read(forged: Forged) -> ConsumerRecord[bytes | None, bytes | None]:
    """The record as a consumer gets it."""
    return ConsumerRecord(TICKETS.name, PART, 0, 0, 0, forged.key, forged.value, None, 0, 0, tuple(forged.headers))


@pytest.mark.pure
def test_a_clock_jumps_when_it_is_told_to_and_back_and_measures_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(vars(clock), "datetime", datetime)
    right, began, told = clock.real_now(), clock.monotonic(), tmp_path / "clock"

    def ahead() -> float:
        return (clock.real_now() - right).total_seconds()

    skew(told)

    assert 0 <= ahead() < 30
    jump(told, 240)
    assert 240 <= ahead() < 270
    jump(told, -90.5)
    assert -90.5 <= ahead() < -60
    told.unlink()
    assert 0 <= ahead() < 30
    assert clock.monotonic() - began < 30


@pytest.mark.kafka
@pytest.mark.apache_kafka
async def test_a_broker_that_is_cut_has_lost_what_it_acknowledged_and_goes_on(broker: Platform) -> None:
    for seq in range(1, 6):
        await write(broker, TICKETS, {PART: [copy_of(row(seq))]})
    await broker.brokers[0].stop()  # a clean stop before must not save anything
    await broker.brokers[0].start()
    for seq in range(6, 9):
        await write(broker, TICKETS, {PART: [copy_of(row(seq))]})

    random = next(random for seed in range(100) if (random := Random(seed)).random() < 0.1)
    said = await BrokerCut().strike(broker, random)

    found = await numbers(broker)
    assert found == list(range(1, len(found) + 1))
    assert 2 <= len(found) < 8
    assert said.startswith(f"{8 - len(found)} records of 1 ")
    await write(broker, TICKETS, {PART: [copy_of(row(9))]})
    assert await numbers(broker) == [*found, 9]


@pytest.mark.kafka
@pytest.mark.apache_kafka
async def test_what_is_written_behind_the_relays_back_is_in_the_topic_and_can_be_made_a_hole(broker: Platform) -> None:
    forged = foreign_to(row(2, INTAKE), used=1, random=Random(1))
    await write(broker, INTAKE, {PART: [copy_of(row(2, INTAKE)), *forged, copy_of(row(1, INTAKE))]})
    assert len(await records(broker, INTAKE)) == len(forged) + 2
    assert await numbers(broker, INTAKE) == [2, 1, 1]

    await delete(broker, INTAKE, [PART])
    await write(broker, INTAKE, {PART: [copy_of(row(3, INTAKE))]})

    assert await numbers(broker, INTAKE) == [3]
    long = Forged(None, b"x" * 4000, ())
    assert await write(broker, INTAKE, {PART: [long] * 20}) == len(await records(broker, INTAKE)) - 1 == 20
    with pytest.raises(AssertionError, match="300 records are more than a batch"):
        await write(broker, INTAKE, {PART: [long] * 300})
    assert len(await records(broker, INTAKE)) == 21


@pytest.mark.kafka
@pytest.mark.apache_kafka
async def test_while_two_of_three_brokers_are_down_nothing_is_acknowledged_and_then_nothing_is_lost(cluster: Platform) -> None:
    await patiently(write, cluster, TICKETS, {PART: [copy_of(row(1))]})

    strike = asyncio.create_task(TwoBrokersDown().strike(cluster, Random(1)))
    await eventually(living(cluster), lambda count: count == 1)
    await patiently(write, cluster, TICKETS, {PART: [copy_of(row(2))]})

    assert await living(cluster)() >= 2
    await strike
    assert set(await patiently(numbers, cluster)) == {1, 2}


def living(platform: Platform) -> Callable[[], Awaitable[int]]:
    """How many brokers run."""

    async def look() -> int:
        return sum(node.alive for node in platform.brokers)

    return look


@pytest.mark.postgres
async def test_every_hot_row_can_be_locked(
    intake_database: Database, tickets_database: Database, feedback_database: Database, metrics_database: Database
) -> None:
    databases = {"intake": intake_database, "tickets": tickets_database, "feedback": feedback_database, "metrics": metrics_database}

    for rows in hot_rows():
        async with databases[rows.service].transaction() as tx:
            await tx.fetch(rows.sql)


@pytest.mark.postgres
async def test_a_full_disk_refuses_and_nothing_that_was_committed_is_gone(bare: Platform) -> None:
    try:
        require_mounts()
    except Skipped as reason:
        pytest.skip(str(reason))
    await bare.postgres.start()
    sql = await asyncpg.connect(bare.postgres.dsn("postgres"))
    await sql.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    await sql.close()

    said = await FullDisk().strike(bare, Random(1))

    refused = int(said.split("; ")[1].split()[0])
    assert refused > 0
    assert not bare.postgres.data.is_mount()
    assert await bare.postgres.query("SELECT sum(n) FROM kept") == "500500"


# --- processes ---

IDLE = "import signal; signal.pause()"
SHOWS_THE_TIME = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from shared import clock

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(clock.real_now().isoformat().encode())

HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def child(name: str, arguments: Sequence[str], log: Path, *, port: int = 0, path: str = "") -> Child:
    """A process of a service that does not run yet: Python with these arguments."""
    service, _, role = name.partition(".")
    env = {**os.environ, "PYTHONPATH": path}
    return Child(name, service, role.split("-")[0], 0, port, Life(Program(name, [sys.executable, *arguments], log, env)))


@asynccontextmanager
async def kept(*children: Child) -> AsyncIterator[Platform]:
    """A platform of these processes alone; they run, and their keeper starts them again."""
    async with nothing_runs(1) as platform:
        await platform.keeper.begin(children)
        keeping = asyncio.create_task(platform.keeper.run())
        try:
            yield platform
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping


@pytest.fixture
def consumers(tmp_path: Path) -> list[Child]:
    return [child(f"tickets.consume-{ordinal}", ["-c", IDLE], tmp_path / f"{ordinal}.log") for ordinal in range(2)]


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.kind is Kind.PROCESS])
async def test_a_process_that_is_dead_is_not_hurt_once_more(bare: Platform, consumers: list[Child], name: str) -> None:
    bare.keeper.children.update({each.name: each for each in consumers})

    with pytest.raises(Skipped, match="processes lived"):
        await FAULTS[name]().strike(bare, Random(1))


@pytest.mark.parametrize("seed", range(3))
async def test_only_what_lives_and_is_in_no_other_faults_hands_is_hurt(consumers: list[Child], seed: int) -> None:
    async with kept(*consumers) as platform, frozen(consumers[:1]):
        assert await KillConsumer().strike(platform, Random(seed)) == consumers[1].name
        with pytest.raises(Skipped, match="0 of 2 processes lived"):
            await PauseConsumer().strike(platform, Random(seed))
        await eventually(alive(consumers[1]))
        with pytest.raises(Skipped, match="1 of 2 processes lived"):
            await KillSeveral().strike(platform, Random(seed))


def alive(child: Child) -> Callable[[], Awaitable[bool]]:
    """Whether it lives."""

    async def look() -> bool:
        return child.alive

    return look


async def test_processes_are_frozen_once_they_live_again(consumers: list[Child]) -> None:
    async with kept(*consumers):
        for each in consumers:
            await each.kill()

        async with frozen(consumers):
            assert all(each.alive for each in consumers)


async def test_what_was_done_to_a_process_that_did_not_stand_still_does_not_count(consumers: list[Child]) -> None:
    async with kept(*consumers):
        with pytest.raises(Skipped, match=f"{consumers[1].name} did not stand still"):
            await kill_frozen(consumers[1])
        with pytest.raises(Skipped, match=f"{consumers[0].name} did not stand still"):
            await resume_frozen(consumers[0])


async def kill_frozen(child: Child) -> None:
    """What a fault that does not look who has it in hand might do."""
    async with frozen([child]):
        await child.kill()


async def resume_frozen(child: Child) -> None:
    """The same."""
    async with frozen([child]):
        child.resume()
        await eventually(going_on(child))


def going_on(child: Child) -> Callable[[], Awaitable[bool]]:
    """Whether it does not stand still."""

    async def look() -> bool:
        return not is_frozen(child.process.pid)

    return look


@pytest.fixture
def clockwork(tmp_path: Path) -> Child:
    """A process that shows its time to whoever asks."""
    (tmp_path / "shows_the_time.py").write_text(SHOWS_THE_TIME)
    port = free_port()
    return child("tickets.api", ["-m", "shows_the_time", str(port)], tmp_path / "log", port=port, path=f"{tmp_path}:{ROOT}")


async def test_a_living_process_sees_its_clock_jump_and_jump_back(clockwork: Child) -> None:
    async with kept(clockwork) as platform:
        await clockwork.ready()

        strike = asyncio.create_task(ClockJump().strike(platform, Random(1)))
        wrong = await eventually(time_of(clockwork), lambda shown: shown is not None and abs(shown[1]) > 50)
        said = await strike

        right = await time_of(clockwork)()
    assert wrong is not None
    assert right is not None
    assert wrong[0] == right[0], "it did not live through both jumps"
    assert abs(right[1]) < 30
    assert float(said.split()[2]) == pytest.approx(wrong[1] / 60, abs=0.1)


def time_of(child: Child) -> Callable[[], Awaitable[tuple[int, float] | None]]:
    """Which process answers, and by how many seconds its clock is ahead; None: nobody answers."""

    async def look() -> tuple[int, float] | None:
        life = child.process
        try:
            async with httpx.AsyncClient() as client:
                told = (await client.get(f"http://127.0.0.1:{child.port}/")).text
        except httpx.TransportError:
            return None
        return life.pid, (datetime.fromisoformat(told) - clock.real_now()).total_seconds()

    return look


# --- nothing to do ---


class Lent(Postgres):
    """Databases of the tests in the place of a platform's."""

    def __init__(self, databases: Mapping[str, Database]) -> None:
        self._databases = databases

    def dsn(self, service: str) -> str:
        return self._databases[service].url


@pytest.fixture
def lent(
    tmp_path: Path, intake_database: Database, tickets_database: Database, feedback_database: Database, metrics_database: Database
) -> Platform:
    """A platform of which nothing runs but the databases, and these are as the migrations left them."""
    databases = {"intake": intake_database, "tickets": tickets_database, "feedback": feedback_database, "metrics": metrics_database}
    return Platform(Home(tmp_path), Lent(databases), [], {"KAFKA_BOOTSTRAP_SERVERS": "nobody.invalid:9092"}, {})


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (RecordsRepeated, "holds nothing any more"),
        (RecordsReordered, "nothing of .* was unsent"),
        (RecordsForeign, "no number of .* is used up"),
        (HoleInTopic, "had read all of"),
    ],
)
async def test_without_records_to_work_on_a_fault_does_not_count(
    lent: Platform, monkeypatch: pytest.MonkeyPatch, fault: type[Fault], why: str
) -> None:
    monkeypatch.setattr("tests.chaos.faults.records.UNSENT_TIME", 0.1)
    log = (INTAKE.name, PART)
    async with connection(lent.postgres.dsn("intake")) as sql:
        await sql.execute("UPDATE outbox_cursor SET seq = 1 WHERE (topic, part) = ($1, $2)", *log)
    for service in INTAKE.consumers:
        async with connection(lent.postgres.dsn(service)) as sql:
            await sql.execute("UPDATE consumer_part SET last_seq = 1 WHERE (topic, part) = ($1, $2)", *log)

    with pytest.raises(Skipped, match=why):
        await fault().strike(lent, Random(1))


@pytest.mark.postgres
async def test_locking_rows_that_are_not_there_does_not_count(lent: Platform) -> None:
    seed = next(seed for seed in range(100) if Random(seed).choice(hot_rows()).what == "the newest tickets")

    with pytest.raises(Skipped, match="no rows: the newest tickets"):
        await HotRowLocked().strike(lent, Random(seed))


class Empty(Broker):
    """A broker that holds no record."""

    def __init__(self, data: Path) -> None:
        self._data = data

    @property
    def data(self) -> Path:
        return self._data

    async def kill(self) -> None:
        """Nothing runs."""

    async def begin(self) -> None:
        """Nothing runs."""

    async def await_ready(self) -> None:
        """Nothing runs."""


@pytest.mark.pure
async def test_a_cut_that_takes_nothing_does_not_count(tmp_path: Path) -> None:
    (tmp_path / f"{TICKETS.name}-{PART}").mkdir()
    platform = Platform(Home(tmp_path), Lent({}), [Empty(tmp_path)], {}, {})

    with pytest.raises(Skipped, match="no partition was cut"):
        await BrokerCut().strike(platform, Random(1))
