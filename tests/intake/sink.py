"""A mail server on loopback that keeps what it is given, and says no on command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Sink:
    """``refusals`` maps an address to the reply that its RCPT gets; ``data_reply`` answers the end of DATA, unless it ``keeps_silent``."""

    port: int = 0
    mails: list[bytes] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    data_reply: str = "250 taken"
    greeting: str = "220 sink"
    hangs_up_after: int | None = None
    connections: int = 0
    keeps_silent: bool = False
    got_data: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?starttls=no"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._talk(reader, writer)
        except ConnectionError:
            return
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{self.greeting}\r\n".encode())
        while line := (await reader.readline()).decode().strip():
            verb = line.split(":", 1)[0].split(" ")[0].upper()
            if verb == "DATA":
                writer.write(b"354 go on\r\n")
                content = await reader.readuntil(b"\r\n.\r\n")
                self.got_data.set()
                if self.keeps_silent:
                    await reader.read()
                    return
                if self.hangs_up_after is not None and len(self.mails) >= self.hangs_up_after:
                    return
                if self.data_reply.startswith("250"):
                    self.mails.append(content.removesuffix(b".\r\n"))
                writer.write(f"{self.data_reply}\r\n".encode())
            else:
                writer.write(f"{self._reply(verb, line)}\r\n".encode())
                if verb == "QUIT":
                    return

    def _reply(self, verb: str, line: str) -> str:
        if verb == "EHLO":
            return "250-sink\r\n250 8BITMIME"
        if verb == "RCPT":
            address = line.partition("<")[2].partition(">")[0]
            return self.refusals.get(address, "250 ok")
        return "221 bye" if verb == "QUIT" else "250 ok"


@asynccontextmanager
async def smtp_sink() -> AsyncIterator[Sink]:
    """The server, as long as the block lasts."""
    sink = Sink()
    server = await asyncio.start_server(sink.serve, "127.0.0.1", 0)
    sink.port = server.sockets[0].getsockname()[1]
    async with server:
        yield sink
