"""Everything that must be there before a service starts: tables, API keys, topics.

    python -m deploy.local.preparation [<port of the broker to wait for>]

The commands of an operator, one after the other in one process: they share the time that it takes to load them, and the broker starts
meanwhile.
"""

import sys
import time
from typing import Final

from deploy.cli import app
from deploy.local.kafka import is_ready

BEFORE_TOPICS: Final = (["db", "migrate"], ["keys", "ensure-local"])
TOPICS: Final = ["topics", "apply"]


def main(arguments: list[str]) -> None:
    """Run them; ends with the code of the first that fails."""
    for command in BEFORE_TOPICS:
        run(command)
    for port in arguments:
        while not is_ready("127.0.0.1", int(port)):  # the supervisor gives up for us when the broker fails
            time.sleep(0.05)
    run(TOPICS)


def run(command: list[str]) -> None:
    """One command of `aftercare`."""
    if code := app(command, standalone_mode=False):
        sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
