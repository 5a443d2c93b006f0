"""Who of those whose turn it is gets a survey: chosen by rules alone, when it is about to be sent, and never tried again.

The rules look at the person, not at the customer file: files that were merged are one person. Consent and the wish to be left alone come
first, then the throttle over all types of surveys, then the sample. A survey that is not sent leaves its reason; only one that was sent,
and that no reopening called off, spares the person further ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.feedback.survey.chance import draw
from services.feedback.survey.forms import FormType
from services.feedback.survey.invitations import Invitation, send, throttle
from services.feedback.survey.rules import Rules


class Reason(StrEnum):
    """Why somebody was not asked."""

    NO_CONSENT = "no_consent"
    """The customer file says that he allows no surveys."""
    OPTED_OUT = "opted_out"
    """He asked for no more surveys."""
    FREQUENCY = "frequency"
    """He was asked not long ago."""
    NOT_SAMPLED = "not_sampled"
    """The lot did not fall on this resolution."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What counts of a person when he is about to be asked. ``asked`` holds the moment of his last survey of each type."""

    consents: bool = True
    opted_out: bool = False
    asked: Mapping[FormType, datetime] = field(default_factory=dict)

    @property
    def wants_surveys(self) -> bool:
        """Whether he may be asked, or reminded, at all."""
        return self.consents and not self.opted_out

    def after(self, form: FormType, at: datetime) -> Standing:
        """The same person when he was asked once more."""
        return replace(self, asked={**self.asked, form: max(at, self.asked.get(form, at))})


def refusal(invitation: Invitation, standing: Standing, rules: Rules, *, at: datetime) -> Reason | None:
    """Why this survey is not sent at ``at``; None when it is."""
    if not standing.consents:
        return Reason.NO_CONSENT
    if standing.opted_out:
        return Reason.OPTED_OUT
    wanted = FormType.of(invitation.form)
    if any(at - asked_at < rules.quiet_after(asked, wanted) for asked, asked_at in standing.asked.items()):
        return Reason.FREQUENCY
    if draw(invitation.id, "sample") >= rules.share(invitation.dimensions):
        return Reason.NOT_SAMPLED
    return None


def select(
    due: Sequence[Invitation], person_of: Mapping[UUID, UUID], standings: Mapping[UUID, Standing], rules: Rules, *, at: datetime
) -> list[Invitation]:
    """Each of the planned surveys sent or throttled, one after the other: two of the same person see each other.

    Args:
        person_of: the person behind each customer id.
        standings: by person, before anything of this is sent.
    """
    now = dict(standings)
    decided = []
    for invitation in sorted(due, key=lambda invitation: (invitation.send_at, invitation.id)):
        person = person_of[invitation.customer_id]
        standing = now.get(person, Standing())
        reason = refusal(invitation, standing, rules, at=at)
        if reason is None:
            now[person] = standing.after(FormType.of(invitation.form), at)
            sent = replace(invitation, inclusion=rules.share(invitation.dimensions))
            decided.append(send(sent, at=at, lifetime=rules.lifetime.of(invitation.dimensions.channel)))
        else:
            share = rules.share(invitation.dimensions) if reason is Reason.NOT_SAMPLED else None
            decided.append(throttle(replace(invitation, inclusion=share), at=at, reason=reason.value))
    return decided
