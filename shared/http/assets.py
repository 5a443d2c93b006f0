"""Static files of pages: kept in memory once asked for, compressed once, at addresses that change with their content.

The release in the address is the digest of all files of the folder, so modules and styles that name each other by relative addresses stay
together, and a browser may keep them for ever.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from shared import errors
from shared.http.routes import PUBLIC, Router

_MEDIA: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_COMPRESSION: Final = 9
"""Done once per file, so as well as gzip can."""


class NoSuchFile(errors.NotFound):
    """No static file has this name."""

    code = "file_unknown"


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    compressed: bytes
    media_type: str
    digest: str


class Assets:
    """The static files of one or more folders; subfolders are not looked at."""

    def __init__(self, *folders: Path) -> None:
        self._paths = {path.name: path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in _MEDIA}
        self._files: dict[str, _File] = {}
        self._reading = asyncio.Lock()
        digests = (f"{name} {_digest(path.read_bytes())}" for name, path in sorted(self._paths.items()))
        self.release: Final = _digest("\n".join(digests).encode())[:16]

    def url(self, name: str) -> str:
        """Where a file is, below the address of the router.

        Raises:
            KeyError: there is no such file.
        """
        return f"{self.release}/{self._paths[name].name}"

    async def answer(self, request: Request, release: str, name: str) -> Response:
        """A file, compressed where the browser can read it.

        Raises:
            NoSuchFile: there is none of that name.
        """
        if name not in self._paths:
            raise NoSuchFile("There is no such file.")
        file = await self._file(name)
        packed = "gzip" in request.headers.get("accept-encoding", "")
        headers = {
            "Content-Type": file.media_type,
            # an old address still answers, with today's content; nobody may keep that under the old name
            "Cache-Control": _FOR_EVER if release == self.release else "no-cache",
            "ETag": f'"{file.digest}{"-gzip" if packed else ""}"',
            "Vary": "Accept-Encoding",
        }
        if packed:
            headers["Content-Encoding"] = "gzip"
        return Response(file.compressed if packed else file.content, headers=headers)

    async def _file(self, name: str) -> _File:
        async with self._reading:
            if name not in self._files:
                self._files[name] = await asyncio.to_thread(_read, self._paths[name])
        return self._files[name]


def assets_router(prefix: str, assets: Assets, *, operation_id: str, tag: str) -> APIRouter:
    """The route of the files: `<prefix>/{release}/{name}`."""
    router = Router(tags=[tag])
    content: dict[str, Any] = {media.partition(";")[0]: {"schema": {"type": "string"}} for media in _MEDIA.values()}

    @router.get(
        f"{prefix}/{{release}}/{{name}}",
        scope=PUBLIC("styles and scripts of pages hold no data"),
        operation_id=operation_id,
        summary="A static file",
        response_class=Response,
        responses={200: {"description": "the file", "content": content}},
    )
    async def get_asset(request: Request, release: str, name: str) -> Response:
        """A static file of the pages."""
        return await assets.answer(request, release, name)

    return router


def _read(path: Path) -> _File:
    content = path.read_bytes()
    # without the time of the compression, so that every instance gives the same bytes
    return _File(content, gzip.compress(content, _COMPRESSION, mtime=0), _MEDIA[path.suffix], _digest(content)[:32])


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()
