"""How PostgreSQL answers questions: a transaction that keeps the plan of each, for tests of what is read and how."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from shared.database import Transaction


class Explaining:
    """A transaction that keeps the plan of each question."""

    def __init__(self, tx: Transaction, *, analyse: bool = False) -> None:
        """``analyse``: the question is asked for its plan as well, which then tells how many rows there were."""
        self._tx = tx
        self._explain = "EXPLAIN (ANALYZE, FORMAT JSON)" if analyse else "EXPLAIN (FORMAT JSON)"
        self.plans: list[list[dict[str, Any]]] = []
        """The steps of each question's plan."""

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Those of all plans."""
        return [step for plan in self.plans for step in plan]

    @property
    def looked_at(self) -> int:
        """How many rows of tables and indexes were read, those included that did not fit; of questions that were analysed."""
        return sum(
            round((step["Actual Rows"] + step.get("Rows Removed by Filter", 0)) * step["Actual Loops"])
            for step in self.steps
            if "Relation Name" in step
        )

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        """The rows; their plan is kept."""
        await self._keep_plan(query, values)
        return await self._tx.fetch(query, *values)

    async def fetchval(self, query: str, *values: Any) -> Any:
        """The one value; its plan is kept."""
        await self._keep_plan(query, values)
        return await self._tx.fetchval(query, *values)

    async def execute(self, query: str, *values: Any) -> str:
        """What changes how later questions are planned."""
        return await self._tx.execute(query, *values)

    async def fetchrow(self, query: str, *values: Any) -> Any:
        """The first row."""
        return await self._tx.fetchrow(query, *values)

    async def _keep_plan(self, query: str, values: tuple[Any, ...]) -> None:
        plan = await self._tx.fetchval(f"{self._explain} {query}", *values)
        self.plans.append(list(_steps(orjson.loads(plan)[0]["Plan"])))


def _steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from _steps(below)
