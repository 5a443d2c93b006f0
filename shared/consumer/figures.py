"""What Prometheus sees of a consumer."""

from typing import Final

from prometheus_client import Counter, Gauge

APPLIED: Final = Counter("consumer_applied", "Events applied", ["consumer", "topic"])
DUPLICATES: Final = Counter("consumer_duplicates", "Records dropped because their number had been applied", ["consumer", "topic"])
AHEAD: Final = Counter("consumer_ahead", "Records dropped because a number before them is missing", ["consumer", "topic"])
FOREIGN: Final = Counter("consumer_foreign", "Records without the topic's source or a number, looked past", ["consumer", "topic"])
UNKNOWN: Final = Counter("consumer_unknown_type", "Events of a type that this release does not know, skipped", ["consumer", "topic"])
PARKED: Final = Counter("consumer_parked", "Events parked as dead letters", ["consumer", "topic"])
REBUILDS: Final = Counter("consumer_rebuilds", "Times that the watchdog made a new client", ["consumer"])
LAG: Final = Gauge("consumer_lag_records", "Records on the broker that were not polled yet", ["consumer", "topic"])
STOPPED: Final = Gauge("consumer_stopped_logs", "Logs that are not read on: two histories met, or too much fails", ["consumer"])
