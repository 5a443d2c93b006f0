"""Brings the local platform up, in the order in which its parts need each other.

PostgreSQL and broker -> databases -> migrations and topics -> services and keys -> ready
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from deploy.local import broker, services
from deploy.local.broker import Broker
from deploy.local.child import finishing
from deploy.local.home import Home
from deploy.local.ports import require_free
from deploy.local.postgres import PostgresServer
from deploy.local.progress import Progress
from deploy.local.server import Server
from deploy.local.services import PROCESSES, Address, Process, ServiceProcess, python, service_program
from deploy.local.supervisor import Supervisor

# Together under the 10 s that a stop may take.
SERVICES_STOP_TIME: Final = 5.0
SERVERS_STOP_TIME: Final = 2.2

PREPARATION_TIME: Final = 180.0
"""Seconds that tables, keys and topics may take; much, for a busy machine."""


@dataclass(frozen=True)
class Platform:
    """What runs, for the banner."""

    home: Home
    sites: Sequence[Address]


def bring_up(home: Home, supervisor: Supervisor, progress: Progress) -> Platform:
    """Start everything and wait until all is ready; what was started is in the supervisor, whatever happens."""
    sites = services.addresses()
    require_free({site.port_variable: site.port for site in sites})
    chosen = choose_broker(home, progress)
    postgres = private_postgres(home)
    begin_servers(supervisor, postgres, chosen)
    databases = create_databases(postgres, progress)
    told = services.environment(home, sites, databases, chosen.bootstrap_servers)
    home.remember_environment(told)
    prepare(home, told, supervisor, chosen, progress)
    start_services(home, sites, told, supervisor, progress)
    return Platform(home, sites)


def choose_broker(home: Home, progress: Progress) -> Broker:
    """The broker to use; fetched first where it has to be."""
    fetched_first = broker.must_be_fetched()
    with progress.step("Fetching Apache Kafka with Maven, about 45 MB, this once" if fetched_first else "Looking for a broker"):
        return broker.choose(home)


def private_postgres(home: Home) -> PostgresServer | None:
    """The server for the databases that were not given; None when all were."""
    if len(services.given_databases()) == len(services.DEFAULT_PORTS):
        return None
    port = home.ports(["postgres"])["postgres"]
    password = home.secrets().postgres_password
    return PostgresServer(home.path / "postgres", port, password=password, log=home.logs / "postgres.log")


def begin_servers(supervisor: Supervisor, postgres: PostgresServer | None, chosen: Broker) -> None:
    """PostgreSQL and broker at once. Two groups, so that the broker is stopped first: it has more to say good-bye to."""
    for server in (postgres, chosen.server):
        if server is not None:
            supervisor.begin([server], stop_time=SERVERS_STOP_TIME)


def create_databases(postgres: PostgresServer | None, progress: Progress) -> dict[str, str]:
    """`{service: address}`: one database per service, given or made."""
    databases = services.given_databases()
    if postgres is not None:
        with progress.step("Starting PostgreSQL"):
            postgres.await_ready()
            for service in services.DEFAULT_PORTS.keys() - databases.keys():
                postgres.create_database(service)
                databases[service] = postgres.url(service)
            version = postgres.query("SHOW server_version")
        progress.done("postgres", f"PostgreSQL {version} on 127.0.0.1:{postgres.port}")
    return databases


def prepare(home: Home, told: Mapping[str, str], supervisor: Supervisor, chosen: Broker, progress: Progress) -> None:
    """Tables, keys and topics, while the broker starts."""
    await_broker = [str(chosen.server.port)] if chosen.server is not None else []
    preparation = python(home, told, "preparation", "-m", "deploy.local.preparation", *await_broker)
    with progress.step("Starting the broker; tables, keys and topics"), finishing([preparation], PREPARATION_TIME):
        supervisor.await_ready()
        progress.done("broker", f"{chosen.title} on {chosen.bootstrap_servers}: {chosen.reason}")
    progress.done("data", "tables, keys and topics are there")


def start_services(home: Home, sites: Sequence[Address], told: Mapping[str, str], supervisor: Supervisor, progress: Progress) -> None:
    """The four services, all at once."""
    with progress.step("Starting intake, tickets, feedback and metrics"):
        supervisor.begin([_service(home, sites, told, process) for process in PROCESSES], stop_time=SERVICES_STOP_TIME)
        supervisor.await_ready()


def _service(home: Home, sites: Sequence[Address], told: Mapping[str, str], process: Process) -> Server:
    site = next(site for site in sites if site.service == process.service)
    # a worker answers probes and tells its figures on a port of its own
    port = site.port if process.has_door else home.ports([process.name])[process.name]
    return ServiceProcess(service_program(home, {**told, site.port_variable: str(port)}, process), port, home)
