"""The live stream: server-sent events, first everything, then what changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import Header
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.requests import Request

from services.metrics.api.board import Board
from shared import http

router = http.Router(tags=["live"])

_STREAM: Final[dict[str, Any]] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "event": {"type": "string", "enum": ["snapshot", "change"]},
            "id": {"type": "string", "description": "names the state; send it back as Last-Event-ID"},
            "data": {"type": "string", "description": "JSON: as_of, items; a snapshot has zone and ranges besides"},
        },
    },
}

LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", max_length=64, description="Id of the last event that was heard; browsers send it when they come back."),
]


@router.get(
    "/v1/live",
    scope="kpi:read",
    operation_id="getLive",
    summary="All key figures, live",
    response_class=EventSourceResponse,
    responses={200: {"description": "the stream", "content": {"text/event-stream": {"schema": _STREAM}}}},
)
async def get_live(request: Request, last_event_id: LastEventId = None) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events about today and the last 30 days: `snapshot` holds every figure, `change` those that are different now.

    A comment comes every 15 s. After ten minutes the stream ends and browsers come back by themselves, so that who has lost his key loses
    it as well. Who does not read is dropped; who comes back gets a snapshot, unless nothing has changed since the event
    that `Last-Event-ID` names.
    """
    board: Board = request.app.state.board
    async with board.listen(last_event_id) as listener:
        async for told in listener.heard(request.app.state.runtime.settings.stream_seconds):
            yield ServerSentEvent(event=told.name, id=told.id, raw_data=told.data.model_dump_json(by_alias=True))
