"""Which broker the local platform uses: the one that was given, else Apache Kafka, else noida-db."""

import os
from dataclasses import dataclass

from deploy.local.home import Home
from deploy.local.kafka import KafkaServer, KafkaUnavailable, cached_jars, java, resolve_jars
from deploy.local.noida import NoidaServer


@dataclass(frozen=True)
class Broker:
    """The choice, in words for people, and the server to start; None when it runs elsewhere."""

    title: str
    reason: str
    bootstrap_servers: str
    server: KafkaServer | NoidaServer | None


def choose(home: Home) -> Broker:
    """The first broker that is there. Fetches Apache Kafka's jars, which takes a while the first time.

    `AFTERCARE_BROKER=noida-db` passes Apache Kafka over; `AFTERCARE_BROKER=kafka` raises KafkaUnavailable instead of passing it over.
    """
    wish = os.environ.get("AFTERCARE_BROKER", "")
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return Broker("Kafka", "given by KAFKA_BOOTSTRAP_SERVERS", given, None)
    if wish == "noida-db":
        return _noida(home, "asked for by AFTERCARE_BROKER")
    try:
        java()
        resolve_jars()
    except KafkaUnavailable as missing:
        if wish == "kafka":
            raise
        return _noida(home, f"{missing}, so not Apache Kafka")
    port = home.ports(["kafka", "kafka_controller"])
    server = KafkaServer(home.path / "kafka", port["kafka"], port["kafka_controller"], log=home.logs / "kafka.log")
    return Broker("Apache Kafka", "the first choice, and this machine has Java", server.bootstrap_servers, server)


def must_be_fetched() -> bool:
    """Whether `choose` will fetch Apache Kafka first, which takes a while."""
    elsewhere = os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or os.environ.get("AFTERCARE_BROKER") == "noida-db"
    return not elsewhere and not cached_jars().exists()


def _noida(home: Home, reason: str) -> Broker:
    server = NoidaServer(home.path / "noida-db", home.ports(["noida_db"])["noida_db"], log=home.logs / "noida-db.log")
    return Broker("noida-db", reason, server.bootstrap_servers, server)
