"""The rules of sending: read by staff, changed by managers. They speak of channels and kinds of tickets, never of one customer."""

from __future__ import annotations

from fastapi import Response
from starlette.requests import Request

from services.feedback.api.surveys import runtime
from services.feedback.handlers import publishing
from services.feedback.handlers.inviting import Inviting
from services.feedback.schemas.rules import RulesBody, RulesOut
from services.feedback.store import forms as store
from shared import clock, http
from shared.auth import Scope

router = http.Router(tags=["survey rules"])


@router.get("/v1/survey-rules", scope=Scope.INVITATION_READ, operation_id="getSurveyRules", summary="When surveys are sent, and to whom")
async def get_rules(request: Request, response: Response) -> RulesOut:
    """The rules that hold now; version 0 is what the environment says. The ETag is what a change must name."""
    served = runtime(request)
    async with served.database.transaction() as tx:
        rules = await store.rules(tx, Inviting.told_by(served.settings).usual)
    response.headers["ETag"] = http.etag(rules.version)
    return RulesOut.of(rules)


@router.put("/v1/survey-rules", scope=Scope.CONFIG_WRITE, operation_id="changeSurveyRules", summary="Publish other rules of sending")
async def change_rules(
    request: Request, response: Response, body: RulesBody, seen: http.ExpectedVersion, by: http.CurrentPrincipal
) -> RulesOut:
    """They hold for whatever is sent from now on; what was sent keeps its expiry."""
    served = runtime(request)
    usual = Inviting.told_by(served.settings).usual
    async with served.database.transaction() as tx:
        rules = await publishing.change_rules(tx, body.rules(seen + 1), expected=seen, usual=usual, by=by.id, at=clock.now())
    response.headers["ETag"] = http.etag(rules.version)
    return RulesOut.of(rules)
