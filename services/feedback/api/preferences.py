"""Who wants no surveys. Agents read it; writing it down is for leads and managers, so that nobody spares himself a bad answer."""

from __future__ import annotations

from uuid import UUID

from starlette.requests import Request

from services.feedback.api.surveys import runtime
from services.feedback.handlers import preferences
from services.feedback.handlers.preferences import Preference
from services.feedback.schemas.preferences import PreferenceBody, PreferenceOut
from shared import clock, http
from shared.auth import Scope

router = http.Router(tags=["survey preferences"])

_PATH = "/v1/survey-preferences/{customer_id}"


@router.get(_PATH, scope=Scope.INVITATION_READ, operation_id="getSurveyPreference", summary="Whether a customer wants surveys")
async def get_preference(request: Request, customer_id: UUID) -> PreferenceOut:
    """For the person, all merged files taken together; with his last survey of each type."""
    async with runtime(request).database.transaction() as tx:
        return _out(await preferences.of_customer(tx, customer_id))


@router.put(_PATH, scope=Scope.STAFF_WRITE, operation_id="changeSurveyPreference", summary="Write down that a customer wants no surveys")
async def change_preference(request: Request, customer_id: UUID, body: PreferenceBody, by: http.CurrentPrincipal) -> PreferenceOut:
    """Or that he wants them again. An agent passes the wish on, or sends the customer to the link in his mail."""
    served = runtime(request)
    async with served.database.transaction() as tx:
        held = await preferences.change(tx, customer_id, opted_out=body.opted_out, actor=by.id, at=clock.now())
    served.wakeup()
    return _out(held)


def _out(held: Preference) -> PreferenceOut:
    wish = held.opt_out
    return PreferenceOut(
        customer_id=held.customer_id,
        wants_surveys=held.standing.wants_surveys,
        consents=held.standing.consents,
        opted_out=held.standing.opted_out,
        opted_out_at=wish.at if wish else None,
        opted_out_by=wish.by if wish else None,
        actor=wish.actor if wish else None,
        last_asked=dict(held.standing.asked),
    )
