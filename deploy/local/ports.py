"""Loopback ports: free ones for the servers, remembered by the home; given ones for the services, checked before anything starts."""

import json
import random
import socket
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Final

OURS = range(15_000, 30_000)
"""Below the range from which systems take the ports of outgoing connections, so that a remembered port stays free."""

_CHANCE: Final = random.SystemRandom()
"""Not the one that whoever repeats a run sows: two that run beside each other would draw the same ports."""
_given: Final[deque[int]] = deque(maxlen=1_000)
"""Ports that were given out last: nobody may listen on them yet."""


class PortTaken(Exception):
    """Another program listens on a port that a service was told to use."""

    def __init__(self, port: int, variable: str) -> None:
        self.port = port
        self.variable = variable
        super().__init__(
            f"Port {port} is taken by another program (is the platform running already?). "
            f"End that program, or choose another port: {variable}=<port> make run"
        )


def is_free(port: int) -> bool:
    """Whether a server could listen on it now. Connections of an ended server that linger do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that nobody listens on, and that was not given to anybody a moment ago."""
    while True:
        port = _CHANCE.choice(OURS)
        if port not in _given and is_free(port):
            _given.append(port)
            return port


def remembered(file: Path, names: list[str]) -> Mapping[str, int]:
    """A port for each name: the one in the file while it is free, else a new one, which the file then holds."""
    known: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    for name in names:
        if name not in known or not is_free(known[name]):
            known[name] = free_port()
    file.write_text(json.dumps(known, indent=2) + "\n")
    return {name: known[name] for name in names}


def require_free(ports: Mapping[str, int]) -> None:
    """Raise PortTaken for the first of `{variable: port}` that somebody else has."""
    for variable, port in ports.items():
        if not is_free(port):
            raise PortTaken(port, variable)
