"""An answer that is JSON bytes already, for hot routes: the general one looks at every header anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

_JSON: Final = (b"content-type", b"application/json")


class Ready(Response):
    """``body`` as it goes out; ``headers`` beside those of the body, as bytes, names in small letters."""

    def __init__(self, body: bytes, *, status_code: int, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self.body = body
        self.status_code = status_code
        self.background = None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), _JSON, *headers]
