"""Roles and scopes. Deny by default: a route demands one scope, a role grants a closed list of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared import errors


class Role(StrEnum):
    """What a principal is in the organisation."""

    CUSTOMER = "customer"
    BOT = "bot"
    AGENT = "agent"
    LEAD = "lead"
    MANAGER = "manager"
    FINANCE = "finance"
    ENGINEER = "engineer"
    OPS = "ops"
    AUDITOR = "auditor"
    ADMIN = "admin"
    SERVICE = "service"


class Kind(StrEnum):
    """What kind of party acts."""

    CUSTOMER = "customer"
    BOT = "bot"
    AGENT = "agent"
    SYSTEM = "system"


class Scope(StrEnum):
    """What a route may demand."""

    REQUEST_CREATE = "request:create"
    REQUEST_READ = "request:read"
    TICKET_READ = "ticket:read"
    TICKET_ACT = "ticket:act"
    CUSTOMER_READ = "customer:read"
    CUSTOMER_WRITE = "customer:write"
    STAFF_READ = "staff:read"
    STAFF_WRITE = "staff:write"
    INVITATION_READ = "invitation:read"
    KPI_READ = "kpi:read"
    CONFIG_WRITE = "config:write"
    HEALTH_READ = "health:read"
    AUDIT_READ = "audit:read"


_STAFF: Final = frozenset(
    {
        Scope.REQUEST_CREATE,
        Scope.REQUEST_READ,
        Scope.TICKET_READ,
        Scope.TICKET_ACT,
        Scope.CUSTOMER_READ,
        Scope.CUSTOMER_WRITE,
        Scope.STAFF_READ,
        Scope.INVITATION_READ,
    }
)

GRANTS: Final[Mapping[Role, frozenset[Scope]]] = {
    # customers follow their request through intake and the tracking page; tickets are for staff
    Role.CUSTOMER: frozenset({Scope.REQUEST_CREATE, Scope.REQUEST_READ}),
    Role.BOT: frozenset({Scope.REQUEST_CREATE, Scope.REQUEST_READ}),
    Role.AGENT: _STAFF,
    Role.LEAD: _STAFF | {Scope.KPI_READ, Scope.STAFF_WRITE},
    Role.MANAGER: _STAFF | {Scope.KPI_READ, Scope.STAFF_WRITE, Scope.CONFIG_WRITE},
    Role.FINANCE: frozenset({Scope.TICKET_READ, Scope.KPI_READ}),
    Role.ENGINEER: frozenset({Scope.TICKET_READ}),
    # runs the platform; sees no content of tickets
    Role.OPS: frozenset({Scope.HEALTH_READ, Scope.CONFIG_WRITE, Scope.KPI_READ}),
    Role.AUDITOR: frozenset({Scope.AUDIT_READ, Scope.KPI_READ}),
    Role.ADMIN: frozenset(Scope),
    Role.SERVICE: frozenset(
        {Scope.REQUEST_CREATE, Scope.REQUEST_READ, Scope.TICKET_READ, Scope.CUSTOMER_READ, Scope.INVITATION_READ, Scope.KPI_READ}
    ),
}

KINDS: Final[Mapping[Role, Kind]] = {Role.CUSTOMER: Kind.CUSTOMER, Role.BOT: Kind.BOT, Role.SERVICE: Kind.SYSTEM}
"""Kind of each role; everybody else is an agent."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling. For a customer, `id` is the customer's id."""

    id: str
    kind: Kind
    role: Role
    scopes: frozenset[str]

    def demand(self, scope: str) -> None:
        """Go on only with this scope.

        Raises:
            MissingScope: the key does not have it.
        """
        if scope not in self.scopes:
            raise MissingScope(scope)


class MissingScope(errors.Forbidden):
    """The key lacks the scope that the route demands."""

    code = "scope_missing"

    def __init__(self, scope: str) -> None:
        super().__init__(f"This needs the scope {scope}.", facts={"scope": scope})
