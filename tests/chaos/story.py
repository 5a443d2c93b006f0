"""What customers send, from one seed: new matters, replies, the same matter again, talk; a few marked as poison, a few invalid.

Whether a request must open a ticket or join one is decided here, by the house's rule "same thing?", and only where the rule leaves no
doubt whatever the order in which things happen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from tests.chaos.ledger import Entry, Ledger

MARK: Final = "chaos-poison"
"""In a subject: handlers refuse this request while the flag of poison is up."""
SINGLE: Final = ("web", "app", "email")
"""Channels whose messages are no conversation: each is a matter of its own."""
TALK: Final = ("wechat", "chat", "sms", "line")
TYPES: Final = ("repair", "enquiry", "complaint", "return", "technical_support")
LOCALES: Final = ("zh-CN", "zh-TW", "en")
TEXTS: Final = (
    "洗衣机今天早上开始不转了，显示 E3。",
    "The kettle no longer heats.",
    "冰箱有異音，請協助處理。",
    "I would like to know when it arrives.",
)

POISON_SHARE: Final = 0.003
MARKED_AT_LEAST: Final = 20
"""This customer's first request is marked in any case: each run has something to replay."""
INVALID_SHARE: Final = 0.003
REMEMBERED: Final = 400
"""Acknowledged requests to which something may follow."""


@dataclass
class Story:
    """Makes bodies; remembers what may be followed."""

    random: Random
    ledger: Ledger
    run: str
    """Tells the customers of this run from all others."""
    customers: int = 0
    busy: set[int] = field(default_factory=set)
    """Customers with a request on its way: one after the other, so that their order is known."""
    _open: list[Entry] = field(default_factory=list)
    """Acknowledged, opened a ticket that nobody works on."""

    def next(self) -> Entry:
        """The next request of the load."""
        draw = self.random.random()
        followed = self._followed() if draw < 0.22 else None
        if followed is None:
            return self.new(marked=draw > 1 - POISON_SHARE)
        if draw < 0.12:
            return self.reply(followed, "还有一个问题。 One more thing.")
        if draw < 0.17 and "product" in followed.body:
            return self._again(followed)
        if followed.body["channel"] in TALK and "product" not in followed.body:
            return self._talk(followed)
        return self.new(customer=followed.customer)

    def new(self, *, customer: int | None = None, marked: bool = False) -> Entry:
        """A matter of its own. A customer who is known already writes where no conversation goes on."""
        random = self.random
        if customer is None:
            self.customers += 1
            customer = self.customers
            marked = marked or customer == MARKED_AT_LEAST
            channel = random.choice((*SINGLE, *TALK))
        else:
            channel = random.choice(SINGLE)
        body: dict[str, Any] = {"channel": channel, "type": random.choice(TYPES), "text": random.choice(TEXTS)}
        if marked:
            body["subject"] = MARK
        if random.random() < 0.3:
            body["product"] = {"model": "WM-900", "serial_number": f"SN-{self.run}-{len(self.ledger.entries)}"}
        entry = self._entry("new", customer, body, opens=True)
        if marked:
            self.ledger.marked.add(entry.number)
        return entry

    def reply(self, entry: Entry, text: str) -> Entry:
        """A further message on a request that was acknowledged."""
        body = {"channel": entry.body["channel"], "text": text, "in_reply_to": entry.reference}
        return self._entry("reply", entry.customer, body, opens=False, joins=entry.reference)

    def invalid(self) -> dict[str, Any]:
        """A body that must be refused."""
        good = {"channel": "web", "customer": {"app_user_id": f"{self.run}-nobody"}, "text": "?", "metadata": {"entry": -1}}
        bad: list[dict[str, Any]] = [
            {"channel": "pigeon"},
            {"text": ""},
            {"unheard_of": 1},
            {"type": "miracle"},
            {"occurred_at": "2099-01-01T00:00:00Z"},
            {"in_reply_to": "AS-20200101AAAAAAA"},
        ]
        return {**good, **self.random.choice(bad)}

    def keep(self, entry: Entry) -> None:
        """It was acknowledged and nobody works on its ticket: others may follow."""
        self._open.append(entry)
        if len(self._open) > REMEMBERED:
            self._open.pop(0)

    def _followed(self) -> Entry | None:
        free = [entry for entry in self.random.sample(self._open, min(8, len(self._open))) if entry.customer not in self.busy]
        return free[0] if free else None

    def _again(self, entry: Entry) -> Entry:
        """Same customer, same type, same serial number as an open ticket, on whatever channel."""
        body = {"channel": self.random.choice(SINGLE), "type": entry.body["type"], "text": "又来了。", "product": entry.body["product"]}
        return self._entry("product", entry.customer, body, opens=False, joins=entry.reference)

    def _talk(self, entry: Entry) -> Entry:
        """The next line of a talk on the same channel."""
        body = {"channel": entry.body["channel"], "text": self.random.choice(TEXTS)}
        return self._entry("talk", entry.customer, body, opens=False, joins=entry.reference)

    def _entry(self, kind: str, customer: int, body: dict[str, Any], *, opens: bool, joins: str | None = None) -> Entry:
        number = len(self.ledger.entries) + 1
        name = f"{self.run}-{customer}"
        whole = {
            **body,
            "external_id": f"{self.run}-{number}",
            "customer": {"app_user_id": name, "email": f"{name}@customers.example", "locale": LOCALES[customer % 3]},
            "metadata": {"entry": number},
        }
        entry = Entry(number, f"{self.run}-{number}-{self.random.getrandbits(64):016x}", whole, kind, customer, opens, joins)
        self.ledger.entries[number] = entry
        return entry
