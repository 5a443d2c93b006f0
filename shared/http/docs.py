"""`/docs`: the OpenAPI document as a page to try out, by Swagger UI, which we serve ourselves."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse, Response

from shared.http.assets import Assets, assets_router
from shared.http.routes import PUBLIC, Router

WEB: Final = Path(__file__).parent / "web"
ASSETS: Final = Assets(WEB / "swagger-ui", WEB / "docs")

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
"""Scripts only from our own files. Swagger UI writes styles into its elements, so those must be let through."""


def docs_router(app: FastAPI) -> APIRouter:
    """The routes of the page and of its files."""
    router = Router(include_in_schema=False)
    router.include_router(assets_router("/docs/assets", ASSETS, operation_id="getDocsAsset", tag="documentation"))
    page = _page(app.title)

    @router.get("/docs", scope=PUBLIC("documentation"), response_class=HTMLResponse)
    async def docs() -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    return router


def _page(title: str) -> str:
    def address(name: str) -> str:
        return f"docs/assets/{ASSETS.url(name)}"

    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{address("swagger-ui.css")}">
</head>
<body>
<div id="swagger-ui" data-document="openapi.json"></div>
<script src="{address("swagger-ui-bundle.js")}"></script>
<script src="{address("docs.js")}"></script>
</body>
</html>
"""
