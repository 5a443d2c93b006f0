"""Writes `docs/problems.md`, the registry of problem types, from the code: `python -m tests.api.problem_page`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from shared.http import problems
from tests.api.houses import SERVICES

PAGE: Final = Path(__file__).parents[2] / "docs" / "problems.md"

HEAD: Final = """# Problems

Every error of the four services is an RFC 9457 problem (`application/problem+json`). `code` is the stable word for programs; `type` leads
to `GET /problems/{code}` of the service, which says the same as this page. `errors` names each wrong field: `#/...` points into the body,
`?name` into the query, `{name}` into the path, anything else is a header. Further members carry facts, such as the allowed actions.

This page is written from the code by `python -m tests.api.problem_page`; a test compares them.

| code | status | meaning | raised by |
|---|---|---|---|
"""


def page() -> str:
    """What the page should say."""
    origins: dict[str, set[str]] = {}
    for kind in problems.all_kinds():
        origins.setdefault(kind.code, set()).add(_origin(kind.__module__))
    known = {name: found for name, found in problems.registry().items() if origins[name] - {"elsewhere"}}
    rows = [f"| `{found.code}` | {found.status} | {found.title} | {_origins(origins[found.code])} |" for found in known.values()]
    return HEAD + "\n".join(rows) + "\n"


def _origin(module: str) -> str:
    package, _, rest = module.partition(".")
    if package == "shared":
        return "every service"
    return rest.partition(".")[0] if package == "services" else "elsewhere"


def _origins(origins: set[str]) -> str:
    if "every service" in origins:
        return "every service"
    return ", ".join(name for name in SERVICES if name in origins)


if __name__ == "__main__":
    PAGE.write_text(page())
