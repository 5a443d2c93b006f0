"""Writes docs/contracts from the models: a schema and an example per type, the AsyncAPI document, a table to read.

``python -m shared.events.document`` (``make contracts``). A schema once written is never changed: a compatible change adds the next
revision beside it, an incompatible one is refused and needs a new major version of the type.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import orjson

from shared.events import contracts
from shared.events.asyncapi import document
from shared.events.compatibility import breaks
from shared.events.envelope import Event
from shared.events.examples import example_of
from shared.events.schema import schema_of
from shared.events.topics import NUMBERED

ROOT: Final = Path(__file__).parents[2] / "docs" / "contracts"


class IncompatibleChange(Exception):
    """A contract changed in a way that breaks a reader."""

    def __init__(self, contract: type[Event], reasons: list[str]) -> None:
        super().__init__(f"{contract.TYPE} needs a new major version:\n  " + "\n  ".join(reasons))
        self.reasons = reasons


def main() -> int:
    """Write everything; 1 when a contract was changed incompatibly."""
    try:
        written = write(ROOT)
    except IncompatibleChange as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    sys.stdout.write(f"{written} files written to {ROOT}\n")
    return 0


def write(root: Path) -> int:
    """Bring ``root`` up to date; the number of files that changed.

    Raises:
        IncompatibleChange: nothing is written then.
    """
    return sum(_write(root / path, content) for path, content in files(root).items())


def files(root: Path) -> dict[Path, bytes]:
    """What ``root`` should hold beside earlier revisions, by path below it."""
    expected: dict[Path, bytes] = {}
    for contract in contracts():
        schema, folder = schema_of(contract), folder_of(contract)
        expected[folder / f"{_revision(root / folder, contract, schema)}.json"] = _json(schema)
        expected[folder / "example.json"] = _json(orjson.loads(example_of(contract).model_dump_json()))
    expected[Path("asyncapi.json")] = _json(document())
    expected[Path("README.md")] = _table().encode()
    return expected


def folder_of(contract: type[Event]) -> Path:
    """Where a contract's files are, below docs/contracts."""
    return Path(contract.TOPIC.name) / contract.TYPE


def revisions(folder: Path) -> list[Path]:
    """The schemas written so far, oldest first."""
    return sorted(folder.glob("[0-9]*.json"), key=lambda path: int(path.stem))


def _revision(folder: Path, contract: type[Event], schema: dict[str, Any]) -> int:
    """The present revision's number; a new one when the schema is new.

    Raises:
        IncompatibleChange: some revision's reader or events would break.
    """
    written = revisions(folder)
    if not written:
        return 1
    if written[-1].read_bytes() == _json(schema):
        return int(written[-1].stem)
    reasons = [reason for path in written for reason in breaks(orjson.loads(path.read_bytes()), schema)]
    if reasons:
        raise IncompatibleChange(contract, reasons)
    return int(written[-1].stem) + 1


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _write(path: Path, content: bytes) -> bool:
    if path.exists() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return True


def _table() -> str:
    lines = [
        "# Event contracts",
        "",
        "Generated from `shared/events` by `make contracts`; do not edit. Each type has its schema by revision (`1.json`, ...)",
        "and an example; `asyncapi.json` describes the whole bus (AsyncAPI 3.0). Records are CloudEvents 1.0 in Kafka binary mode.",
    ]
    for topic in NUMBERED:
        kept = "7 days" if topic.retention_ms > 0 else "for ever"
        lines += [
            "",
            f"## {topic.name}",
            "",
            f"{topic.about}; written by {topic.source}, kept {kept}.",
            "",
            "| type | key | what happened |",
        ]
        lines.append("|---|---|---|")
        lines += [
            f"| [`{contract.TYPE}`]({folder_of(contract)}/) | {contract.KEY} | {(contract.__doc__ or '').split(chr(10))[0]} |"
            for contract in contracts()
            if topic == contract.TOPIC
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
