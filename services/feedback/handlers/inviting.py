"""What the bus and the timers bring: invitations are planned, sent or throttled, reminded of, cancelled.

A token is drawn in the transaction that stores its hash and requests the mail with its link: whatever is rolled back takes all three
with it, so a link that reaches a customer always opens something. Whether somebody is spared is decided when a survey is about to be sent,
with his person locked: two surveys at the same moment see each other.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from services.feedback.settings import FeedbackSettings
from services.feedback.store import forms as forms_store
from services.feedback.store import invitations as store
from services.feedback.store import people
from services.feedback.survey import facts, invitations
from services.feedback.survey.forms import FormType
from services.feedback.survey.invitations import Invitation, State
from services.feedback.survey.rules import Rules, usual
from services.feedback.survey.selection import Standing, select
from shared import outbox, timers
from shared.database import Transaction
from shared.events.codes import DEFAULT_LOCALE, Locale
from shared.events.envelope import Event
from shared.events.intake import CustomerMerged, CustomerRegistered, CustomerUnmerged, CustomerUpdated
from shared.events.notification import FeedbackNotificationRequested
from shared.events.tickets import TicketMerged, TicketMessageAdded, TicketReopened, TicketResolved
from shared.languages import closest
from shared.timers import Timer

SEND: Final = "survey_invitation"
"""Kind of the timer that sends a planned invitation, and of the notification that carries its link."""
REMIND: Final = "survey_reminder"
"""The same of the reminder."""

READS: Final = (
    CustomerRegistered,
    CustomerUpdated,
    CustomerMerged,
    CustomerUnmerged,
    TicketMessageAdded,
    TicketResolved,
    TicketReopened,
    TicketMerged,
)
"""What `follow` looks at of all that the other services tell."""

Known = Mapping[UUID, Invitation]


@dataclass(frozen=True, slots=True)
class Inviting:
    """How customers are asked: the rules while nobody published others, and where the page is. ``page_url`` ends without a slash."""

    usual: Rules
    page_url: str

    @classmethod
    def told_by(cls, settings: FeedbackSettings) -> Inviting:
        """As the environment says."""
        return cls(usual(settings.delay, settings.survey_lifetime), settings.public_url)

    def link(self, token: str) -> str:
        """What the customer opens."""
        return f"{self.page_url}/s/{token}"


async def follow(tx: Transaction, events: Sequence[Event], *, inviting: Inviting, at: datetime) -> None:
    """What other services tell, in order: customers, aliases of tickets, resolutions that call for a survey or void one."""
    told = await _follow_customers(tx, events, at=at)
    await people.save_aliases(tx, {event.reference: event.ticket_number for event in events if isinstance(event, TicketMessageAdded)})
    episodes = [event for event in events if isinstance(event, TicketResolved | TicketReopened | TicketMerged)]
    if episodes:
        told += await _follow_episodes(tx, episodes, inviting=inviting, at=at)
    await outbox.append(tx, told)


async def fire(tx: Transaction, due: Sequence[Timer], *, inviting: Inviting, at: datetime) -> None:
    """The time of these invitations has come, to be sent or to be reminded of; the caller has locked them."""
    known = await store.by_ids(tx, {UUID(timer.subject) for timer in due})
    reminders = {UUID(timer.subject) for timer in due if timer.kind == REMIND}
    rules = await forms_store.rules(tx, inviting.usual)
    after = await _remind(tx, known, reminders, at=at)
    after = await _send(tx, after, rules=rules, before=known, at=at)
    await outbox.append(tx, await _save(tx, known, after, rules=rules, inviting=inviting, at=at))


async def _follow_customers(tx: Transaction, events: Sequence[Event], *, at: datetime) -> list[Event]:
    """Languages, consents and merges, the last of each told; a changed consent is told on."""
    languages = [event for event in events if isinstance(event, CustomerRegistered | CustomerUpdated)]
    await people.save_locales(tx, {event.customer_id: closest(event.locale) or DEFAULT_LOCALE for event in languages})
    merges = [event for event in events if isinstance(event, CustomerMerged | CustomerUnmerged)]
    await people.save_merges(
        tx, {event.customer_id: event.into_customer_id if isinstance(event, CustomerMerged) else None for event in merges}
    )
    consents = {event.customer_id: event.consents.survey for event in events if isinstance(event, CustomerUpdated)}
    changed = await people.save_consents(tx, consents)
    return [facts.opted_out(customer_id, is_out=not consents[customer_id], by="consent", at=at) for customer_id in changed]


async def _follow_episodes(
    tx: Transaction, events: Sequence[TicketResolved | TicketReopened | TicketMerged], *, inviting: Inviting, at: datetime
) -> list[Event]:
    merged = [event.ticket_number for event in events if isinstance(event, TicketMerged)]
    ids = {id_ for event in events if not isinstance(event, TicketMerged) for id_ in invitations.ids_of(event)}
    known = await store.for_update(tx, ids | await store.ids_of_tickets(tx, merged))
    languages = await people.locales(tx, {event.customer_id for event in events})
    rules = await forms_store.rules(tx, inviting.usual)
    codes = await forms_store.active_codes(tx)

    def locale_of(event: TicketResolved) -> Locale:
        # the language of this very request; where we do not speak it, the customer's usual one
        return closest(event.locale) or languages.get(event.customer_id) or DEFAULT_LOCALE

    after = invitations.follow(known, events, form=codes[FormType.TRANSACTIONAL], locale_of=locale_of, rules=rules, at=at)
    after = await _send(tx, after, rules=rules, before=known, at=at)
    return await _save(tx, known, after, rules=rules, inviting=inviting, at=at)


async def _send(tx: Transaction, planned: Known, *, before: Known, rules: Rules, at: datetime) -> dict[UUID, Invitation]:
    """Send what is due to those whom no rule spares; a complaint that gets no survey gets the one question instead."""
    due = invitations.due(planned, at=at)
    if not due:
        return dict(planned)
    cancelled = [id_ for id_, invitation in planned.items() if invitation.cancelled_at is not None and id_ in before]
    person_of = await people.persons(tx, {invitation.customer_id for invitation in due})
    await people.lock(tx, person_of.values())
    standings = await people.standings(tx, person_of.values(), without=cancelled)
    decided = select(due, person_of, standings, rules, at=at)
    questions = await _service_questions(tx, decided, rules=rules, at=at)
    return {**planned, **{invitation.id: invitation for invitation in (*decided, *questions)}}


async def _service_questions(tx: Transaction, decided: Sequence[Invitation], *, rules: Rules, at: datetime) -> list[Invitation]:
    spared = [invitation for invitation in decided if invitation.is_complaint and invitation.state(at) is State.THROTTLED]
    if not spared:
        return []
    form = (await forms_store.active_codes(tx))[FormType.SOLVED]
    return [
        invitations.service_question(survey, form=form, at=at, lifetime=rules.lifetime.of(survey.dimensions.channel)) for survey in spared
    ]


async def _remind(tx: Transaction, known: Known, ids: Collection[UUID], *, at: datetime) -> dict[UUID, Invitation]:
    """Remind those who still want surveys."""
    if not ids:
        return dict(known)
    person_of = await people.persons(tx, {known[id_].customer_id for id_ in ids})
    standings = await people.standings(tx, person_of.values())
    wanting = [id_ for id_ in ids if standings.get(person_of[known[id_].customer_id], Standing()).wants_surveys]
    return {**known, **{id_: invitations.remind(known[id_], at=at) for id_ in wanting}}


async def _save(tx: Transaction, before: Known, after: Known, *, rules: Rules, inviting: Inviting, at: datetime) -> list[Event]:
    """Write what changed, set and remove its timers; the facts of it."""
    changed = [invitation for id_, invitation in after.items() if before.get(id_) != invitation]
    asked = {invitation.id: _token() for invitation in changed if _became(before, invitation, "invited_at")}
    reminded = {invitation.id: _token() for invitation in changed if _became(before, invitation, "reminded_at")}
    hashes, reminder_hashes = _hashes(asked), _hashes(reminded)
    await store.add(tx, [invitation for invitation in changed if invitation.id not in before], hashes)
    await store.change(tx, [invitation for invitation in changed if invitation.id in before], hashes, reminder_hashes)
    await _set_timers(tx, changed, rules, at)
    told: list[Event] = []
    for invitation in changed:
        if invitation.id in asked:
            told += [facts.invited(invitation), _mail(SEND, invitation, at, inviting.link(asked[invitation.id]))]
        if invitation.id in reminded:
            told += [facts.reminded(invitation), _mail(REMIND, invitation, at, inviting.link(reminded[invitation.id]))]
        if _became(before, invitation, "throttled_at"):
            told.append(facts.throttled(invitation))
        # an invitation that nobody received is not called off
        if _became(before, invitation, "cancelled_at") and invitation.invited_at is not None:
            told.append(facts.cancelled(invitation))
    return told


async def _set_timers(tx: Transaction, changed: Sequence[Invitation], rules: Rules, at: datetime) -> None:
    planned = [invitation for invitation in changed if invitation.state(at) is State.SCHEDULED]
    reminders = [
        (invitation, due_at)
        for invitation in changed
        if invitation.state(at) is State.OPEN and invitation.reminded_at is None and (due_at := invitations.reminder_at(invitation, rules))
    ]
    over = [invitation for invitation in changed if invitation.state(at) is State.CANCELLED]
    await timers.arm(
        tx,
        [Timer(SEND, str(invitation.id), 1, invitation.send_at) for invitation in planned]
        + [Timer(REMIND, str(invitation.id), 1, due_at) for invitation, due_at in reminders],
    )
    await timers.cancel(tx, [(kind, str(invitation.id)) for invitation in over for kind in (SEND, REMIND)])


def _became(before: Known, invitation: Invitation, moment: str) -> bool:
    """Whether this moment has just happened."""
    known = before.get(invitation.id)
    return getattr(invitation, moment) is not None and (known is None or getattr(known, moment) is None)


def _token() -> str:
    return secrets.token_urlsafe(store.TOKEN_BYTES)


def _hashes(tokens: Mapping[UUID, str]) -> dict[UUID, bytes]:
    return {id_: store.token_hash(token) for id_, token in tokens.items()}


def _mail(kind: str, invitation: Invitation, at: datetime, link: str) -> FeedbackNotificationRequested:
    return FeedbackNotificationRequested(
        occurred_at=at,
        notification_id=uuid5(invitation.id, kind),
        customer_id=invitation.customer_id,
        kind=kind,
        locale=invitation.locale,
        ticket_number=invitation.ticket_number,
        link=link,
        data={"form": invitation.form, "purpose": invitation.purpose.value, "opt_out_link": f"{link}/opt-out"},
        expires_at=invitation.expires_at,
    )
