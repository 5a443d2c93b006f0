"""One Apache Kafka process (broker and controller, KRaft) on loopback ports: made, started, stopped, crashed, frozen."""

import base64
import os
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from deploy.local.child import ChildFailed, Program
from deploy.local.kafka.jars import java, resolve_jars
from deploy.local.kafka.readiness import is_ready
from deploy.local.leftovers import await_leftovers
from deploy.local.ports import free_port
from deploy.local.server import Server

LOGGING: Final = Path(__file__).with_name("log4j2.yaml")

# the cheapest compiler and collector: ready in 3 s, about 200 MB
JVM: Final = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError")

SETTINGS: Final[Mapping[str, str]] = {
    "auto.create.topics.enable": "false",  # a misspelt topic is an error
    "offsets.topic.num.partitions": "8",  # 50 by default: only start-up time
    "transaction.state.log.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",  # do not wait 3 s for further members
    "broker.heartbeat.interval.ms": "500",  # after a crash the broker may register only when
    "broker.session.timeout.ms": "3000",  # its old session is over
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    "num.network.threads": "2",
    "num.io.threads": "4",
}


class KafkaServer(Server):
    """One node over one folder.

    Alone by default. Several nodes form a cluster when each is given the same `quorum` ({node id: controller port}) and the same
    `cluster_id`; replication is then up to three, of which two must have a record.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        controller_port: int,
        *,
        node_id: int = 1,
        quorum: Mapping[int, int] | None = None,
        cluster_id: str | None = None,
        log: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`settings` go over SETTINGS; `log` defaults to `<folder>/kafka.log`."""
        super().__init__("kafka")
        self.port = port
        self.folder = folder.resolve()
        self.data_dir = self.folder / "data"
        self._node_id = node_id
        self._quorum = dict(quorum or {node_id: controller_port})
        self._controller_port = controller_port
        # a first byte of our own: an id that starts with "-" would be taken for an option
        self._cluster_id = cluster_id or base64.urlsafe_b64encode(b"A" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        self._log = log or self.folder / "kafka.log"
        self._settings = dict(settings or {})

    @classmethod
    @contextmanager
    def temporary(cls, settings: Mapping[str, str] | None = None) -> Iterator[Self]:
        """A running broker over a new folder that is deleted afterwards: one for a test run."""
        with (
            tempfile.TemporaryDirectory(prefix="aftercare-kafka-", ignore_cleanup_errors=True) as folder,
            cls(Path(folder), free_port(), free_port(), settings=settings) as server,
        ):
            yield server

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients."""
        return f"127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Write its settings, and format the data folder unless that was done."""
        await_leftovers(self.name, self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        properties = "".join(f"{name}={value}\n" for name, value in self._properties().items())
        self._properties_file.write_text(properties)
        if (self.data_dir / "meta.properties").exists():
            return
        format_ = self._java("kafka.tools.StorageTool", "format", "-t", self._cluster_id, "-c", str(self._properties_file))
        result = subprocess.run(format_, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise ChildFailed(self.name, "could not format its folder", (result.stdout + result.stderr).splitlines()[-10:])

    def serves(self) -> bool:
        """Whether the broker is alive in the cluster's metadata."""
        return is_ready("127.0.0.1", self.port)

    @property
    def _properties_file(self) -> Path:
        return self.folder / "server.properties"

    def _properties(self) -> dict[str, str]:
        replicas = str(min(3, len(self._quorum)))
        in_sync = "2" if len(self._quorum) > 1 else "1"
        listeners = f"BROKER://127.0.0.1:{self.port}"
        return {
            "process.roles": "broker,controller",
            "node.id": str(self._node_id),
            "controller.quorum.voters": ",".join(f"{node}@127.0.0.1:{port}" for node, port in self._quorum.items()),
            "controller.listener.names": "CONTROLLER",
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": listeners,
            "inter.broker.listener.name": "BROKER",
            "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.data_dir),
            "default.replication.factor": replicas,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": in_sync,
            **SETTINGS,
            **self._settings,
        }

    def program(self) -> Program:
        return Program(
            name=self.name,
            argv=self._java("kafka.Kafka", str(self._properties_file)),
            log=self._log,
            # fewer malloc arenas: less memory at rest
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2"},
            cwd=self.folder,
            death_signal=signal.SIGTERM,  # a clean end spares the next start the wait for the old session
        )

    def _java(self, main_class: str, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile=file:{LOGGING}"
        return [str(java()), *JVM, logging, "-cp", f"{resolve_jars()}/*", main_class, *arguments]
