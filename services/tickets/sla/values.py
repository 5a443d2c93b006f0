"""Values of which several are made with every ticket.

To the type checker they are frozen dataclasses, and nobody changes one. The running program does not guard it: that takes three quarters of
the time of making one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

__all__ = ["often_made"]

T = TypeVar("T")

if TYPE_CHECKING:
    from dataclasses import dataclass as often_made
else:

    def often_made(*, frozen: bool, slots: bool) -> Callable[[type[T]], type[T]]:
        """A dataclass that is equal and hashed like a frozen one."""
        return dataclass(slots=slots, unsafe_hash=frozen)
