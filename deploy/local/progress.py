"""Tells people how far the start is: a spinner on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Progress:
    """Steps that run, and lines for what is done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began_at = time.monotonic()

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show that this is going on."""
        if self._console.is_terminal:
            with self._console.status(text):
                yield
        else:
            self.say(text)
            yield

    def done(self, subject: str, text: str) -> None:
        """Note a result, with the seconds since the start."""
        self._console.print(f"[green]{subject:>9}[/]  {text} [dim]{self.seconds:.1f} s[/]", highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """A message as it is."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began_at
