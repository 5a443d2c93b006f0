"""The four services on this machine: their ports, what they are told through the environment, and their processes."""

import http.client
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from deploy.local.child import Program
from deploy.local.home import Home
from deploy.local.server import Server
from shared.clock import CLOCK_VARIABLE

DEFAULT_PORTS: Final[Mapping[str, int]] = {"intake": 8001, "tickets": 8002, "feedback": 8003, "metrics": 8004}

GIVEN_WAY: Final = "5"
"""So nice is a process that gives way: a third of a core is left to it by one that does not."""


class Process(NamedTuple):
    """A process of `make run`."""

    name: str
    service: str
    roles: tuple[str, ...] = ("all",)

    @property
    def has_door(self) -> bool:
        """Whether it answers REST calls, on the port of its service."""
        return not {"all", "api"}.isdisjoint(self.roles)


PROCESSES: Final = (
    # callers wait at this door: neither a mail that is composed nor a batch that is applied may stand before them
    Process("intake", "intake", ("api",)),
    Process("intake-worker", "intake", ("consume", "relay", "timers")),
    Process("tickets", "tickets"),
    Process("feedback", "feedback"),
    Process("metrics", "metrics"),
)


class BadPort(Exception):
    """A variable should hold a port and does not."""


@dataclass(frozen=True)
class Address:
    """Where one service listens, and how others reach it."""

    service: str
    port: int
    public_url: str

    @property
    def port_variable(self) -> str:
        return f"{self.service.upper()}_PORT"


def addresses() -> list[Address]:
    """Of all four, from `<SERVICE>_PORT` and `<SERVICE>_PUBLIC_URL` or by default; BadPort when a port is none."""
    return [_address(service, default) for service, default in DEFAULT_PORTS.items()]


def _address(service: str, default: int) -> Address:
    variable = f"{service.upper()}_PORT"
    text = os.environ.get(variable) or str(default)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise BadPort(f"{variable} must be a port between 1 and 65535, not {text!r}")
    return Address(service, int(text), os.environ.get(f"{service.upper()}_PUBLIC_URL") or f"http://127.0.0.1:{text}")


def given_databases() -> dict[str, str]:
    """`{service: address}` of the databases that run elsewhere."""
    given = {service: os.environ.get(database_variable(service), "") for service in DEFAULT_PORTS}
    return {service: address for service, address in given.items() if address}


def database_variable(service: str) -> str:
    """The name of the variable with the address of its database."""
    return f"{service.upper()}_DATABASE_URL"


def environment(home: Home, sites: Sequence[Address], databases: Mapping[str, str], bootstrap_servers: str) -> dict[str, str]:
    """What the services and the `aftercare` command need to know about this platform."""
    told = {
        "AFTERCARE_HOME": str(home.path),
        "AFTERCARE_LOCAL": "1",
        "AFTERCARE_ORDINAL": "0",
        "AFTERCARE_SIGNING_KEY": os.environ.get("AFTERCARE_SIGNING_KEY") or home.secrets().signing_key,
        "AFTERCARE_ZONE": os.environ.get("AFTERCARE_ZONE") or "Asia/Shanghai",
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
    }
    for site in sites:
        told[site.port_variable] = str(site.port)
        told[f"{site.service.upper()}_PUBLIC_URL"] = site.public_url
        told[database_variable(site.service)] = databases[site.service]
    if clock := os.environ.get(CLOCK_VARIABLE):
        told[CLOCK_VARIABLE] = clock
    return told


def python(home: Home, told: Mapping[str, str], name: str, *arguments: str) -> Program:
    """A Python program of this project, with the platform's environment and a log of its own."""
    # unbuffered: the last lines of one that dies must have reached the log; fewer arenas: less memory at rest
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2", **told}
    return Program(name=name, argv=[sys.executable, *arguments], log=home.logs / f"{name}.log", env=env)


def service_program(home: Home, told: Mapping[str, str], process: Process) -> Program:
    """What to run. On the one machine that all share, others give way to intake's door: what it has accepted can wait, callers cannot."""
    nice = "0" if process.service == "intake" and process.has_door else GIVEN_WAY
    return python(home, {**told, "AFTERCARE_NICE": nice}, process.name, "-m", f"services.{process.service}", *process.roles)


class ServiceProcess(Server):
    """A process of a service: its door, its consumer, relay and timers, or all of them."""

    def __init__(self, program: Program, port: int, home: Home) -> None:
        super().__init__(program.name)
        self._program = program
        self._port = port
        self._home = home

    def prepare(self) -> None:
        """Nothing: its data is in the database."""

    def serves(self) -> bool:
        """Whether `/readyz` says so."""
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=1.0)) as connection,
        ):
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        return False

    def program(self) -> Program:
        """With the business clock that the home has now."""
        clock = os.environ.get(CLOCK_VARIABLE) or self._home.business_clock
        return self._program if clock is None else replace(self._program, env={**(self._program.env or {}), CLOCK_VARIABLE: clock})
