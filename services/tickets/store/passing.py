"""Clocks whose due times pass, between rows and values: what `workflow/passing.py` needs of very many tickets, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from services.tickets.models.expressions import CHANGED_AT
from services.tickets.sla import ServiceLevels, TargetName
from services.tickets.store.facts import to_row
from services.tickets.store.levels import service_levels
from services.tickets.store.saving import Collision
from services.tickets.workflow.changes import NAMES, Breached, Warned
from services.tickets.workflow.commands import SYSTEM
from services.tickets.workflow.passing import Passing, Watched
from shared import timers
from shared.database import Transaction, column
from shared.timers import Timer


async def load(tx: Transaction, due: Sequence[Timer], until: datetime) -> dict[str, Watched]:
    """The clocks of these timers, by ticket, of which each has one among them.

    Left out are clocks that were paused or have ended, and those of tickets of which another clock has something to tell by ``until``.
    """
    rows = await tx.fetch(_LOAD, [timer.subject for timer in due], [timer.kind for timer in due], until, _TARGETS)
    # in this order: an edition that is read later knows every promise that was read before
    levels = await service_levels(tx)
    return {row[0]: _watched(row, levels) for row in rows}


_COPIED: Final = Watched._fields.index("budget")
_LOAD: Final = f"""
SELECT t.number, t.version, t.status, t.customer_id, t.channel, t.tier, t.type, t.step, t.priority, t.category, t.root_topic,
       t.product_model, t.batch, t.team, t.assignee, {CHANGED_AT} AS changed_at, t.escalation,
       c.target, c.started_at, c.due_at, c.warned_at, t.told_at IS NOT NULL AS was_told,
       c.budget_ms, c.policy, c.policy_row, c.calendar, c.calendar_row, c.policy_version
  FROM unnest($1::text[], $2::text[]) d(number, target)
 CROSS JOIN LATERAL (SELECT * FROM sla_clock WHERE number = d.number AND target = d.target OFFSET 0) c
 CROSS JOIN LATERAL (SELECT * FROM ticket WHERE number = d.number OFFSET 0) t
 WHERE c.met_at IS NULL AND c.stopped_at IS NULL AND c.breached_at IS NULL
   AND NOT EXISTS (SELECT FROM sla_pause p WHERE p.number = d.number OFFSET 0)
   AND NOT EXISTS (SELECT FROM (SELECT o.due_at FROM timer o WHERE o.kind = ANY($4::text[]) AND o.subject = d.number OFFSET 0) o
                    WHERE o.due_at <= $3)
"""
# OFFSET 0: each is looked up by its key; a join, or what is due as the way to it, would read all timers, and while nothing is known yet of
# tables that were filled a moment ago, all clocks for each of them
_TARGETS: Final = [str(target) for target in TargetName]


def _watched(row: asyncpg.Record, levels: ServiceLevels) -> Watched:
    budget_ms, policy, policy_row, calendar, calendar_row, edition = row[_COPIED:]
    promise = levels.given((policy, policy_row), (calendar, calendar_row), edition)
    return Watched._make((*row[:_COPIED], timedelta(milliseconds=budget_ms), promise))


# ------------------------------------------------------------------ saving


async def save(tx: Transaction, passed: Sequence[Passing]) -> None:
    """Write what was told. The tickets are locked by this transaction, and their timers were taken by it."""
    await _update(tx, passed)
    await _place(tx, passed)
    await tx.execute(_TELL, *_told(passed))
    await tx.copy("history", ("number", "version", "type", "at", "actor", "data"), [row for each in passed for row in _history(each)])
    # one was there until this transaction took it
    await timers.arm_first(tx, [_next(each, each.next_at) for each in passed if each.next_at is not None])


async def _update(tx: Transaction, passed: Sequence[Passing]) -> None:
    done = await tx.execute(
        """
        UPDATE ticket t SET version = u.version, told_at = COALESCE(u.told_at, t.told_at), escalation = u.escalation
          FROM unnest($1::text[], $2::int[], $3::int[], $4::timestamptz[], $5::smallint[]) u(number, was, version, told_at, escalation)
         WHERE t.number = u.number AND t.version = u.was
        """,
        *([each.watched.number for each in passed], [each.watched.version for each in passed]),
        *(column(passed, name) for name in ("version", "told_at", "escalation")),
    )
    if done != f"UPDATE {len(passed)}":
        raise Collision(f"{len(passed)} tickets were locked, {done}")


async def _place(tx: Transaction, passed: Sequence[Passing]) -> None:
    """Move what is told of now to its new place in the order of changes."""
    moved = [each for each in passed if each.told_at is not None]
    away = [each.watched for each in moved if each.watched.was_told]
    if away:
        await tx.execute(
            "DELETE FROM told USING unnest($1::timestamptz[], $2::text[]) gone(at, number)"
            " WHERE (told.at, told.number) = (gone.at, gone.number)",
            column(away, "changed_at"),
            column(away, "number"),
        )
    await tx.copy("told", ("at", "number"), [(each.told_at, each.watched.number) for each in moved])


_TELL: Final = """
UPDATE sla_clock c SET warned_at = COALESCE(u.warned_at, c.warned_at), breached_at = u.breached_at
  FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[]) u(number, target, warned_at, breached_at)
 WHERE c.number = u.number AND c.target = u.target
"""


def _told(passed: Sequence[Passing]) -> Iterator[list[Any]]:
    yield [each.watched.number for each in passed]
    yield [each.watched.target for each in passed]
    yield [each.at if type(each.fact) is Warned else None for each in passed]
    yield [each.at if type(each.fact) is Breached else None for each in passed]


_ROWS: Final = {(kind, target): (NAMES[kind], to_row(kind(target))) for kind in (Warned, Breached) for target in TargetName}
"""Name and data of each fact in the history."""


def _history(passed: Passing) -> Iterator[tuple[Any, ...]]:
    number, version, at = passed.watched.number, passed.watched.version + 1, passed.at
    name, data = _ROWS[type(passed.fact), passed.fact.target]
    yield number, version, name, at, SYSTEM.id, data
    if passed.escalated is not None:
        yield number, version + 1, NAMES[type(passed.escalated)], at, SYSTEM.id, to_row(passed.escalated)


def _next(passed: Passing, due_at: datetime) -> Timer:
    return Timer(passed.watched.target, passed.watched.number, passed.version, due_at)
