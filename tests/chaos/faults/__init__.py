"""Everything that may happen to the platform, by the names that `--faults` takes."""

from __future__ import annotations

from typing import Final

from tests.chaos.faults import brokers, clocks, databases, full_disk, processes, records
from tests.chaos.faults.fault import Fault, Kind, Skipped

__all__ = ["FAULTS", "Fault", "Kind", "Skipped"]

_ALL: Final[tuple[type[Fault], ...]] = (
    processes.KillApi,
    processes.KillRelay,
    processes.KillConsumer,
    processes.KillTimers,
    processes.KillSeveral,
    processes.PauseApi,
    processes.PauseRelay,
    processes.PauseConsumer,
    processes.PauseTimers,
    processes.ConsumerAdded,
    clocks.ClockJump,
    brokers.BrokerStop,
    brokers.BrokerKill,
    brokers.BrokerPause,
    brokers.BrokerCut,
    brokers.TwoBrokersDown,
    databases.PostgresCrash,
    databases.PostgresRestart,
    databases.ConnectionsKilled,
    databases.HotRowLocked,
    databases.SlowDatabase,
    full_disk.FullDisk,
    records.RecordsRepeated,
    records.RecordsReordered,
    records.RecordsForeign,
    records.HoleInTopic,
)

FAULTS: Final[dict[str, type[Fault]]] = {fault.name: fault for fault in _ALL}
