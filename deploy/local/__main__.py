"""`python -m deploy.local`, that is `make run`: the whole platform on this machine until Ctrl-C."""

import os
import sys

from rich.console import Console

from deploy.local import banner
from deploy.local.child import ChildFailed
from deploy.local.home import Home, HomeInUse
from deploy.local.kafka import KafkaUnavailable
from deploy.local.ports import PortTaken
from deploy.local.progress import Progress
from deploy.local.services import BadPort
from deploy.local.startup import bring_up
from deploy.local.supervisor import StopRequested, Supervisor, request_stop, restart_signal, stop_signals


def main() -> int:
    """Run until stopped; 0 after a stop that was asked for, 1 when it could not start."""
    console = Console()
    home = Home.from_environment()
    try:
        with stop_signals(request_stop), home.locked():
            run(home, console)
    except StopRequested:
        return 0
    except (HomeInUse, PortTaken, BadPort, KafkaUnavailable, ChildFailed) as reason:
        console.print(str(reason), style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    return 0


def run(home: Home, console: Console) -> None:
    """Bring the platform up, keep it running; end all of it on the way out, however that comes."""
    progress = Progress(console)
    supervisor = Supervisor(say=progress.say)
    try:
        platform = bring_up(home, supervisor, progress)
        banner.show(console, platform, progress.seconds)
        with restart_signal(supervisor.ask_restart):
            supervisor.watch()
    finally:
        stop(supervisor, console)


def stop(supervisor: Supervisor, console: Console) -> None:
    """End everything; another Ctrl-C meanwhile kills what is left."""

    def force() -> None:
        supervisor.kill()
        os._exit(130)

    with stop_signals(force):
        console.print("\nStopping (Ctrl-C again: at once)", highlight=False)
        supervisor.stop()
        console.print("Stopped", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
