"""What a consumer's process remembers of one log between batches. All of it may be lost: database and heartbeat bring it back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from shared import protocol
from shared.clock import monotonic
from shared.consumer.batch import Committed
from shared.consumer.positions import Stand
from shared.protocol import Breaker, Gap, Position


@dataclass
class LogState:
    """One assigned log."""

    next_off: int = 0
    position: Position = field(default_factory=Position)
    breaker: Breaker = field(default_factory=Breaker)
    gap: Gap | None = None
    changed: bool = False
    asked: bool = True
    reported_at: float | None = None
    stopped_until: float | None = None
    """Not read on before that moment of the monotonic clock, and not reported."""

    def seek(self, stand: Stand) -> None:
        """Begin again where the database says; the source gets to hear where that is."""
        self.next_off, self.position = stand.next_off, stand.position
        self.asked = True

    def remember(self, result: Committed) -> None:
        """After a COMMIT."""
        self.next_off, self.position, self.breaker = result.next_off, result.admission.position, result.breaker
        self.gap = protocol.gap_after(self.gap, result.admission, result.records)
        self.changed = self.changed or bool(result.admission.accepted)
        self.asked = self.asked or result.admission.at_last

    def stop(self, seconds: float) -> None:
        """Leave the log alone for a while."""
        self.stopped_until = monotonic() + seconds

    def is_report_due(self) -> bool:
        """Whether the source is to hear of this log now."""
        if self.stopped_until is not None:
            return False
        since = None if self.reported_at is None else timedelta(seconds=monotonic() - self.reported_at)
        gap = protocol.expected_number(self.position, self.gap) is not None
        return protocol.report_due(since_report=since, changed=self.changed, asked=self.asked, gap=gap)

    def reported(self) -> None:
        """A report is on its way; what happens from now on is news again."""
        self.reported_at, self.changed, self.asked = monotonic(), False, False
