"""The requests that customers send in the benchmarks: what a web form sends, about 600 bytes, each opening a ticket of its own.

Every other one is of a customer whom nobody has seen before; the others are of customers who come again, two thousand where nothing else is
said. Serial numbers never repeat, so nothing joins an open ticket; nothing is sent twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from benchmarks.load import NUMBER, request

KNOWN: Final = 2_000
"""Customers who come again. They soon get no more receipts: an address gets only so many mails an hour."""
MANY_KNOWN: Final = 10_000
"""So many that each request of a short run gets its receipt."""

TEXT: Final = (
    "The kettle stopped heating on Tuesday. The lamp blinks three times when it is switched on and then goes out; I have tried another "
    "socket and cleaned the base as the manual says. It is used twice a day. Please tell me whether this is covered and how long it takes."
)
MODELS: Final = ("K-100", "K-200", "WM-900", "RF-31", "AC-12", "TV-55", "VC-8", "DW-60")


def creations(url: str, headers: Mapping[str, str], *, name: str = "a", known: int = KNOWN) -> list[str]:
    """Creating calls to the server at `url`; `name` tells runs on one database apart, their customers as well. Of `known` customers each
    comes once when as many calls are made as there are here, twice when twice as many."""
    return [
        request("POST", f"{url}/v1/requests", headers={**headers, "Idempotency-Key": f"{name}-{NUMBER}"}, body=_body(index, name))
        for index in range(2 * known)
    ]


def batches(url: str, headers: Mapping[str, str], *, size: int = 250, name: str = "b") -> list[str]:
    """Calls that create so many requests each: the quickest way to fill a platform through its own door."""
    items = [_body(2 * index, f"{name}{index}") for index in range(size)]
    return [request("POST", f"{url}/v1/requests/batch", headers=headers, body={"requests": items})]


def _body(index: int, name: str) -> dict[str, Any]:
    known = index % 2
    who = f"{index // 2:010d}" if known else NUMBER
    model = MODELS[index // 2 % len(MODELS)]
    return {
        "channel": "web",
        "customer": {"name": "Wang Wei", "email": f"{name}-{'known-' if known else ''}{who}@example.com"},
        "type": "repair",
        "subject": f"{model} does not work any more",
        "text": TEXT,
        "product": {"model": model, "serial_number": f"SN-{name}-{NUMBER}", "purchase_date": "2026-03-01"},
    }
