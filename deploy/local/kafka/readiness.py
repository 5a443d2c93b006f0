"""Whether a Kafka broker answers, asked in Kafka's own protocol.

An open port is not a ready broker: the port opens before the broker may serve. Two requests by hand instead of a client, so that the
supervisor stays small and any thread or event loop may ask.
"""

import socket
import struct
from contextlib import suppress

METADATA = 3
API_VERSIONS = 18
CLIENT_ID = b"aftercare-readiness"


def is_ready(host: str, port: int, timeout: float = 2.0) -> bool:
    """Whether the broker names itself as alive in the cluster's metadata."""
    with suppress(OSError, EOFError, struct.error), socket.create_connection((host, port), timeout) as connection:
        _ask(connection, API_VERSIONS, version=0, body=b"")
        answer = _ask(connection, METADATA, version=1, body=struct.pack(">i", 0))  # of no topic
        (brokers,) = struct.unpack_from(">i", answer)
        return bool(brokers > 0)
    return False


def _ask(connection: socket.socket, api: int, *, version: int, body: bytes) -> bytes:
    header = struct.pack(">hhih", api, version, 1, len(CLIENT_ID)) + CLIENT_ID
    connection.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
    (size,) = struct.unpack(">i", _read(connection, 4))
    return _read(connection, size)[4:]  # after the correlation id


def _read(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
