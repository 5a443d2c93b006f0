"""What requests and surveys count for."""

from __future__ import annotations

from typing import Final

from services.metrics.facts import Answer, Moment, RequestFacts, SurveyFacts
from services.metrics.projection.units import Counted, Part, unit

RELATIONSHIP_SURVEY: Final = "T2"
"""Form whose recommendation is asked outside any ticket; kept apart from the transactional NPS."""


def parts_of_request(request: RequestFacts) -> list[Part]:
    """One request."""
    return [(received, request.received)]


def parts_of_survey(survey: SurveyFacts) -> list[Part]:
    """One invitation with its answer, or an anonymous answer."""
    return [(invitation, survey.invited, survey.cancelled, survey.answer), (answer, survey.answer)]


def received(moment: Moment | None) -> Counted:
    """Once, when it happened."""
    if moment is not None:
        yield unit("requests", "count", moment)


def invitation(invited: Moment | None, cancelled: Moment | None, answer: Answer | None) -> Counted:
    """Asked, and answered or not: AAPOR's RR1. An invitation that could not be delivered stays in: nobody knows whether its customer would
    have answered. One that a reopening cancelled before the answer was none."""
    if invited is None or (cancelled is not None and answer is None):
        return
    yield unit("survey_response_rate", "denominator", invited)
    if answer is not None:
        yield unit("survey_response_rate", "numerator", invited)


def answer(given: Answer | None) -> Counted:
    """The scores."""
    if given is None:
        return
    moment = Moment(given.stamp, given.at, given.dimensions)
    if given.overall is not None:
        yield unit("csat_mean", f"score_{given.overall}", moment)
    if given.recommend is not None and given.form.partition(".")[0] != RELATIONSHIP_SURVEY:
        yield unit("nps", f"score_{given.recommend}", moment)
