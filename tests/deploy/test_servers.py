"""PostgreSQL and the brokers as the tests and the local platform use them: what was accepted survives a stop and a crash."""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.child import ChildFailed, family
from deploy.local.kafka import KafkaServer, is_ready
from deploy.local.noida import NoidaServer
from deploy.local.ports import free_port
from deploy.local.postgres import PostgresServer, programs, run
from deploy.local.unprivileged import User


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A server of its own: these tests crash it."""
    with PostgresServer.temporary({"shared_buffers": "16MB"}) as server:
        server.create_database("shop")
        server.query("CREATE TABLE orders (number int)", "shop")
        yield server


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaServer]:
    """A broker of its own: these tests crash it."""
    with KafkaServer.temporary() as server:
        asyncio.run(create_topic(server.bootstrap_servers))
        yield server


async def create_topic(bootstrap_servers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic("orders", 1, 1)])
    await admin.close()


async def produce(bootstrap_servers: str, *values: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all") as producer:
        for value in values:
            await producer.send_and_wait("orders", value)


async def read_all(bootstrap_servers: str) -> list[bytes]:
    partition = TopicPartition("orders", 0)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap_servers) as consumer:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        return [(await consumer.getone()).value for _ in range(end)]


@pytest.mark.postgres
class TestPostgres:
    def test_committed_rows_survive_a_crash(self, postgres: PostgresServer) -> None:
        postgres.query("TRUNCATE orders; INSERT INTO orders VALUES (1)", "shop")

        postgres.kill()
        postgres.start()

        assert postgres.query("SELECT number FROM orders", "shop") == "1"

    def test_rows_survive_a_stop(self, postgres: PostgresServer) -> None:
        postgres.query("TRUNCATE orders; INSERT INTO orders VALUES (2)", "shop")

        postgres.stop()
        postgres.start()

        assert postgres.query("SELECT number FROM orders", "shop") == "2"

    def test_a_pid_file_with_the_number_of_another_process_does_not_hinder(self, postgres: PostgresServer) -> None:
        postgres.kill()
        pid_file = postgres.data_dir / "postmaster.pid"
        pid_file.write_text("\n".join([str(os.getpid()), *pid_file.read_text().splitlines()[1:]]))

        postgres.start()

        assert postgres.ready

    def test_a_frozen_server_is_silent_and_then_goes_on(self, postgres: PostgresServer) -> None:
        postgres.pause()
        try:
            assert {psutil.Process(pid).status() for pid in family(postgres.child.pid)} == {psutil.STATUS_STOPPED}
        finally:
            postgres.resume()

        assert postgres.query("SELECT 1") == "1"

    def test_a_database_is_created_once(self, postgres: PostgresServer) -> None:
        postgres.create_database("shop")

        assert postgres.query("SELECT count(*) FROM pg_database WHERE datname = 'shop'") == "1"

    def test_it_asks_for_the_password(self, postgres: PostgresServer) -> None:
        stranger = PostgresServer(postgres.data_dir.parent, postgres.port, password="guessed")

        with pytest.raises(ChildFailed, match="password authentication failed"):
            stranger.query("SELECT 1")

    def test_it_does_not_run_as_root(self, postgres: PostgresServer) -> None:
        assert Path(f"/proc/{postgres.child.pid}").stat().st_uid == User.for_databases().uid != 0

    def test_what_was_accepted_is_on_disk_and_waits_are_limited(self, postgres: PostgresServer) -> None:
        wanted = {
            "fsync": "on",
            "synchronous_commit": "on",
            "lock_timeout": "5s",
            "statement_timeout": "15s",
            "idle_in_transaction_session_timeout": "15s",
            "client_connection_check_interval": "2s",
            "listen_addresses": "127.0.0.1",
        }

        assert {name: postgres.query(f"SHOW {name}") for name in wanted} == wanted

    def test_a_first_start_that_was_cut_off_is_made_anew(self) -> None:
        server = PostgresServer(Path("/tmp") / f"aftercare-cut-off-{os.getpid()}", free_port(), password="x")
        folder = server.data_dir.parent
        try:
            server.initialise()
            server.data_dir.rename(folder / "unfinished")  # as a kill in the middle leaves it
            (folder / "unfinished" / "PG_VERSION").write_text("")
            with server:
                assert server.query("SELECT 1") == "1"
        finally:
            for path in sorted(folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            folder.rmdir()
            folder.with_suffix(".log").unlink()

    def test_programs_that_its_user_cannot_reach_run_from_a_copy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As for a clone under /root, with an installation that only root may read."""
        with tempfile.TemporaryDirectory(dir="/tmp") as elsewhere:
            monkeypatch.setattr("deploy.local.unprivileged.ELSEWHERE", Path(elsewhere))
            monkeypatch.setattr(User, "may_enter", lambda self, folder: False)

            folder = programs.__wrapped__(User.for_databases(), None)

            assert folder.is_relative_to(elsewhere)
            assert "PostgreSQL" in run(folder / "initdb", "--version")
            assert all(path.stat().st_mode & 0o005 == 0o005 for path in folder.iterdir())


@pytest.mark.kafka
@pytest.mark.apache_kafka
class TestKafka:
    def test_acknowledged_records_survive_a_crash_and_a_stop(self, kafka: KafkaServer) -> None:
        asyncio.run(produce(kafka.bootstrap_servers, b"1", b"2"))
        kafka.kill()
        kafka.start()
        asyncio.run(produce(kafka.bootstrap_servers, b"3"))
        kafka.stop()
        kafka.start()

        assert asyncio.run(read_all(kafka.bootstrap_servers)) == [b"1", b"2", b"3"]

    def test_a_frozen_broker_is_not_ready_and_then_goes_on(self, kafka: KafkaServer) -> None:
        kafka.pause()
        assert not is_ready("127.0.0.1", kafka.port, timeout=0.2)

        kafka.resume()

        kafka.await_ready()


@pytest.mark.kafka
class TestNoida:
    def test_records_survive_a_stop(self) -> None:
        with NoidaServer.temporary() as broker:
            asyncio.run(create_topic(broker.bootstrap_servers))
            asyncio.run(produce(broker.bootstrap_servers, b"1", b"2"))
            broker.stop()
            broker.start()

            assert asyncio.run(read_all(broker.bootstrap_servers)) == [b"1", b"2"]


@pytest.mark.kafka
def test_an_open_port_is_not_a_ready_broker() -> None:
    began = time.monotonic()
    port = free_port()

    assert not is_ready("127.0.0.1", port)
    assert time.monotonic() - began < 1
