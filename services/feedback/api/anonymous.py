"""Anonymous answers, as sums over a whole month."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from fastapi import Query
from starlette.requests import Request

from services.feedback.api.surveys import runtime
from services.feedback.schemas.anonymous import AnonymousOut, Segment
from services.feedback.store import answers as store
from services.feedback.survey.anonymity import month_span
from shared import clock, http
from shared.auth import Scope
from shared.errors import Invalid

router = http.Router(tags=["surveys"])

Month = Annotated[
    str, Query(pattern=r"^(19|20|21)\d\d-(0[1-9]|1[0-2])$", description="yyyy-mm, in the organisation's zone; it must have ended")
]
FormCode = Annotated[str, Query(pattern=r"^[A-Z]\d\.\d{1,9}$", description="form and version, e.g. T1.3")]
GroupBy = Annotated[Literal["channel", "type", "tier"] | None, Query(description="one dimension; without it one cell")]

_SEGMENTS: Final[Mapping[str | None, Segment]] = {
    None: lambda _: None,
    "channel": lambda response: response.channel,
    "type": lambda response: response.type,
    "tier": lambda response: response.tier,
}


@router.get(
    "/v1/anonymous-responses", scope=Scope.INVITATION_READ, operation_id="getAnonymousResponses", summary="Anonymous answers of a month"
)
async def get_anonymous_responses(request: Request, month: Month, form: FormCode, group_by: GroupBy = None) -> AnonymousOut:
    """Sums only. Cells of fewer than five are hidden, with as many others as it takes to keep them so. A month that still runs is not
    shown: the difference of two looks would be somebody's answer."""
    served = runtime(request)
    since, until = month_span(month)
    if clock.now().astimezone(served.settings.timezone).date() < until:
        raise Invalid.field("?month", "month_open", "this month has not ended yet")
    async with served.database.transaction() as tx:
        found = [response for response in await store.anonymous(tx, since=since, until=until) if response.form == form]
    return AnonymousOut.of(found, month=month, form=form, group_by=group_by, segment_of=_SEGMENTS[group_by])
