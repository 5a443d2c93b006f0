"""`/docs`: the OpenAPI document as a page to try out. The only page of the HTTP base, so the only one that needs scripts."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, Response

from shared.http.routes import PUBLIC, Router

_LIBRARY: Final = "https://cdn.jsdelivr.net"
_INLINE: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def docs_router(app: FastAPI) -> APIRouter:
    """The route of the page."""
    router = Router(include_in_schema=False)
    page = bytes(get_swagger_ui_html(openapi_url="/openapi.json", title=app.title, swagger_favicon_url="data:,").body)
    policy = _policy(page.decode())

    @router.get("/docs", scope=PUBLIC("documentation"), response_class=HTMLResponse)
    async def docs() -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": policy})

    return router


def _policy(page: str) -> str:
    """Its own script by its digest, Swagger UI from where FastAPI takes it, and calls to ourselves; nothing else."""
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in _INLINE.findall(page)]
    scripts = " ".join([_LIBRARY, *(f"'sha256-{digest}'" for digest in digests)])
    return (
        f"default-src 'none'; script-src {scripts}; style-src {_LIBRARY} 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
