"""Tickets, their history, and what their numbers answer to."""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, Integer, SmallInteger, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from services.tickets.models.columns import metadata, moment, number, of_ticket, one_of
from services.tickets.models.expressions import OPEN_NOW, PRIORITY_RANK, TIER_RANK, WAITING, has_status
from services.tickets.sla import Priority
from services.tickets.workflow.status import WITH_NOBODY, Status

_OPEN_NOW: Final = text(OPEN_NOW)

ticket: Final = Table(
    "ticket",
    metadata,
    number(primary_key=True),
    number("series", nullable=False, comment="number of the first ticket on this matter"),
    Column("version", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("customer_id", Uuid, nullable=False),
    Column("channel", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("tier", Text, nullable=False),
    Column("type", Text),
    Column("step", Text),
    Column("priority", Text, nullable=False),
    Column("category", Text),
    Column("root_topic", Text),
    Column("product_model", Text),
    Column("batch", Text),
    Column("team", Text),
    Column("assignee", Text),
    moment("opened_at", nullable=False),
    moment("changed_at", nullable=False, comment="of the newest change; see told_at"),
    moment("told_at", comment="of the newest change, if it was a due time that passed: that leaves changed_at alone"),
    Column("episode", Integer, nullable=False, comment="how many times it was resolved"),
    Column("resolution_code", Text),
    moment("first_resolved_at"),
    moment("resolved_at", comment="the last resolve"),
    moment("closed_at"),
    number("linked_to"),
    moment("started_at", comment="when work first began"),
    moment("waiting_since", comment="since when it waits for the customer"),
    moment("reminded_at", comment="when the customer was reminded of this waiting"),
    number("merged_into", comment="the ticket that goes on for both"),
    moment("next_due_at", comment="the earliest running promise"),
    Column("entered_by", Text, nullable=False, comment="who wrote the request down: customer, bot, agent, system"),
    moment("contacted_at", comment="first public message of staff on a ticket that an agent entered: it answers nothing yet"),
    Column("escalation", SmallInteger, nullable=False, server_default=text("0"), comment="how high: 1 the lead, 2 the manager"),
    # what only people read; the customer's words and belongings, cleared when the customer is erased
    Column("subject", Text),
    Column("product_named", Text, comment="in the customer's words; product_model is a code"),
    Column("serial_number", Text),
    Column("order_number", Text),
    Column("purchase_date", Text),
    moment("expected_resolution_at"),
    Column("words", TSVECTOR, nullable=False, comment="of the subject, cut by search.py"),
    one_of("status", Status),
    one_of("priority", Priority),
    CheckConstraint("version > 0 AND episode >= 0", name="counts"),
    CheckConstraint(f"assignee IS NOT NULL OR {has_status(WITH_NOBODY)}", name="worked_on_by_somebody"),
    CheckConstraint("(episode > 0) = (resolved_at IS NOT NULL)", name="resolved_at_is_the_last_resolve"),
    CheckConstraint("resolved_at IS NOT NULL OR status NOT IN ('resolved', 'confirmed')", name="done_is_resolved"),
    CheckConstraint("(closed_at IS NOT NULL) = (status IN ('closed', 'cancelled', 'merged'))", name="closed_at_is_the_end"),
    CheckConstraint("(linked_to IS NULL) = (series = number)", name="only_linked_tickets_continue_a_series"),
    CheckConstraint("(merged_into IS NOT NULL) = (status = 'merged') AND merged_into <> number", name="merged_into_another"),
    CheckConstraint("(waiting_since IS NOT NULL) = (status = 'waiting_customer')", name="waiting_for_the_customer"),
    # lists run newest first; the number breaks ties
    Index("ticket_newest", "opened_at", "number"),
    # most are closed, and met soon enough on the way through any order
    Index("ticket_open", "status", "opened_at", "number", postgresql_where=text("status <> 'closed'")),
    Index("ticket_customer", "customer_id", "opened_at", "number"),
    Index("ticket_assignee", "assignee", "opened_at", "number", postgresql_where=text("assignee IS NOT NULL")),
    # loads of agents, and queues in the order of assignment/queue.py
    Index("ticket_load", "assignee", postgresql_where=text(f"assignee IS NOT NULL AND {OPEN_NOW}")),
    Index("ticket_queue", "team", text(PRIORITY_RANK), text(TIER_RANK), "opened_at", "number", postgresql_where=text(WAITING)),
    Index("ticket_team", "team", "opened_at", "number", postgresql_where=text("team IS NOT NULL")),
    Index("ticket_series", "series", postgresql_where=text("linked_to IS NOT NULL")),
    Index("ticket_words", "words", postgresql_using="gin"),
    Index("ticket_updated", "changed_at", "number"),
    Index("ticket_escalated", "escalation", "opened_at", "number", postgresql_where=text("escalation > 0")),
    Index("ticket_due", "next_due_at", "number", postgresql_where=text("next_due_at IS NOT NULL")),
    Index("ticket_priority", text(PRIORITY_RANK), "opened_at", "number", postgresql_where=_OPEN_NOW),
    # values that few tickets have; the walk through an order meets the others soon enough. Which of them go together is known from
    # statistics that migration 0010 makes: ticket_kinds (status and these), ticket_teams (status, team, type)
    Index("ticket_kind", "priority", "tier", "type", "channel"),
    Index("ticket_unassigned", "opened_at", "number", postgresql_where=text("assignee IS NULL")),
    Index("ticket_merged", "merged_into", postgresql_where=text("merged_into IS NOT NULL")),
    # "same thing?": open tickets of one customer
    Index("ticket_customer_open", "customer_id", postgresql_where=_OPEN_NOW),
    # room in each page for the next version of a row: what due times change of a ticket is in no index
    postgresql_with={"fillfactor": "50"},
)

told: Final = Table(
    "told",
    metadata,
    moment("at", primary_key=True),
    number(primary_key=True),
    comment="tickets with told_at: their places in the order of changes",
)

history: Final = Table(
    "history",
    metadata,
    number(primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("type", Text, nullable=False),
    moment("at", nullable=False, comment="when it happened; a breach is dated at its due time"),
    Column("actor", Text, nullable=False),
    Column("data", JSONB, nullable=False, comment="ids, codes, numbers, salted digests; never words"),
)

alias: Final = Table(
    "alias",
    metadata,
    number("reference", primary_key=True),
    of_ticket(nullable=False),
    comment="service numbers of messages that joined a ticket: each answers as that ticket",
)

series: Final = Table(
    "series",
    metadata,
    of_ticket(primary_key=True),
    Column("last", SmallInteger, nullable=False, comment="ordinal of the newest linked ticket; its row lock gives out the next"),
)
