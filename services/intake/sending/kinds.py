"""The kinds of messages to customers, and what each demands: a consent, a place in the queue, a time after which it is no use.

A message that nobody in particular wrote is *automatic* and counts against the budget of its address. An answer of our staff is not; it and
the receipt of a request need no consent, because the customer asked for them by writing to us.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final


@dataclass(frozen=True)
class Consents:
    """What the customer allows."""

    status: bool = True
    survey: bool = True
    marketing: bool = False

    def allow(self, purpose: str | None) -> bool:
        """Whether he allows messages of this purpose; what serves his own request needs no asking (None)."""
        return purpose is None or bool(getattr(self, purpose))


@dataclass(frozen=True)
class Kind:
    """``rank`` orders messages that wait for the same address, 0 first."""

    name: str
    rank: int
    is_automatic: bool = True
    purpose: str | None = None
    """The consent that it needs; a field of `Consents`."""
    useful_for: timedelta | None = None
    """For messages that name no end themselves."""
    is_solicitous: bool = False
    """Asks something of the customer that can wait until morning: no text message wakes him for it."""
    is_about_survey: bool = False
    settles_for: timedelta = timedelta()
    """How long it waits for something newer on the same ticket, so that quick work makes one message and not three."""
    needs: str | None = None
    """The field without which it says nothing."""


SETTLING: Final = timedelta(seconds=30)

_KINDS: Final = (
    Kind("ticket_reply", 0, is_automatic=False, needs="text"),
    Kind("ticket_status", 1, purpose="status", useful_for=timedelta(days=3), settles_for=SETTLING),
    Kind("acknowledgement", 2, useful_for=timedelta(days=1)),
    # whoever wants no messages of status must hear all the same that his ticket is closed if he does not answer
    Kind("ticket_reminder", 3, useful_for=timedelta(days=3), is_solicitous=True),
    Kind("survey_invitation", 4, purpose="survey", useful_for=timedelta(days=14), is_solicitous=True, is_about_survey=True, needs="link"),
    Kind("survey_reminder", 5, purpose="survey", useful_for=timedelta(days=7), is_solicitous=True, is_about_survey=True, needs="link"),
)
# an acknowledgement goes behind a status: whoever enters requests in another's name must not be able to silence the messages on his tickets

KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in _KINDS}
AUTOMATIC: Final = frozenset(kind.name for kind in _KINDS if kind.is_automatic)


def kind_of(name: str) -> Kind | None:
    """The kind of that name; None when there is none, since a producer of a later release may know more."""
    return KINDS.get(name)
