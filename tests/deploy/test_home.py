"""A home keeps its secrets, its ports and its lock."""

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import broker, services
from deploy.local.home import Home, HomeInUse
from deploy.local.kafka import KafkaUnavailable
from deploy.local.ports import PortTaken, is_free, require_free
from shared.service import ROLES


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    with home.locked():
        yield home


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_secrets_are_made_once_and_are_private(home: Home) -> None:
    first = home.secrets()

    assert home.secrets() == first
    assert (home.path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert len(first.signing_key) >= 64


def test_secrets_that_are_there_are_kept(home: Home) -> None:
    (home.path / "secrets.json").write_text(json.dumps({"signing_key": "of an older version"}))

    assert home.secrets().signing_key == "of an older version"
    assert home.secrets() == home.secrets()


def test_two_homes_have_different_secrets(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other")
    with other.locked():
        assert other.secrets() != home.secrets()


def test_a_home_belongs_to_one_platform(home: Home) -> None:
    with pytest.raises(HomeInUse, match=r"is running already \(process \d+\)"), Home(home.path).locked():
        pass


def test_ports_are_remembered(home: Home) -> None:
    first = home.ports(["postgres", "kafka"])

    assert len(set(first.values())) == 2
    assert home.ports(["postgres", "kafka"]) == first


def test_a_remembered_port_that_is_taken_is_replaced(home: Home, listener: socket.socket) -> None:
    taken = listener.getsockname()[1]
    (home.path / "ports.json").write_text(json.dumps({"postgres": taken}))

    chosen = home.ports(["postgres"])["postgres"]

    assert chosen != taken
    assert is_free(chosen)
    assert home.ports(["postgres"])["postgres"] == chosen


def test_a_taken_port_is_named_with_its_variable(listener: socket.socket) -> None:
    port = listener.getsockname()[1]

    with pytest.raises(PortTaken, match=rf"Port {port} is taken .* FEEDBACK_PORT=<port> make run"):
        require_free({"FEEDBACK_PORT": port})


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "8001 ", "٨٠٠١"])
def test_what_is_no_port_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("METRICS_PORT", text)

    with pytest.raises(services.BadPort, match="METRICS_PORT must be a port"):
        services.addresses()


def test_ports_and_addresses_by_default_and_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in services.DEFAULT_PORTS:
        monkeypatch.delenv(f"{service.upper()}_PORT", raising=False)
    monkeypatch.setenv("TICKETS_PORT", "9002")
    monkeypatch.setenv("INTAKE_PUBLIC_URL", "https://help.example.com")

    assert [site.port for site in services.addresses()] == [8001, 9002, 8003, 8004]
    assert [site.public_url for site in services.addresses()][:2] == ["https://help.example.com", "http://127.0.0.1:9002"]


def test_every_role_of_every_service_runs_once_and_gives_way_to_intakes_door(home: Home) -> None:
    roles = [(each.service, role) for each in services.PROCESSES for role in (ROLES if each.roles == ("all",) else each.roles)]
    programs = [services.service_program(home, {}, each) for each in services.PROCESSES]
    nice = {program.name: (program.env or {})["AFTERCARE_NICE"] for program in programs}

    assert sorted(roles) == sorted((service, role) for service in services.DEFAULT_PORTS for role in ROLES)
    assert [name for name, given in nice.items() if given == "0"] == ["intake"]
    assert [each.service for each in services.PROCESSES if each.has_door] == list(services.DEFAULT_PORTS)


def test_the_environment_is_written_for_a_shell(home: Home) -> None:
    home.remember_environment({"A": "it's $HOME", "B": "postgresql://u:p@127.0.0.1/x"})
    file = home.path / "environment"

    printed = subprocess.run(["sh", "-c", f". {file}; echo $A; echo $B"], capture_output=True, text=True, check=True).stdout

    assert printed == "it's $HOME\npostgresql://u:p@127.0.0.1/x\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_given_broker_is_used_and_not_started(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.example.com:9092")

    chosen = broker.choose(home)

    assert (chosen.bootstrap_servers, chosen.server) == ("kafka.example.com:9092", None)


def test_without_java_the_small_broker_is_used_and_the_reason_is_said(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "AFTERCARE_BROKER", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    chosen = broker.choose(home)

    assert chosen.title == "noida-db"
    assert chosen.reason == "no Java 17 or newer, so not Apache Kafka"


def test_who_insists_on_apache_kafka_is_told_what_is_missing(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("AFTERCARE_BROKER", "kafka")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(KafkaUnavailable, match="no Java 17 or newer"):
        broker.choose(home)


def test_given_databases_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in services.DEFAULT_PORTS:
        monkeypatch.delenv(services.database_variable(service), raising=False)
    monkeypatch.setenv("TICKETS_DATABASE_URL", "postgresql://db.example.com/tickets")

    assert services.given_databases() == {"tickets": "postgresql://db.example.com/tickets"}


def test_the_clock_of_the_next_start_is_kept_until_it_is_taken_back(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.business_clock is None

    home.set_business_clock("60@2026-11-25T10:00:00Z/2026-11-20T00:00:00Z")
    assert Home(tmp_path).business_clock == "60@2026-11-25T10:00:00Z/2026-11-20T00:00:00Z"

    home.set_business_clock(None)
    assert home.business_clock is None
