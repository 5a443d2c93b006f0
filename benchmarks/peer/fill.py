"""Makes the peer's tables, its one member of staff and so many tickets; prints what a caller needs to know as JSON.

    python -m benchmarks.peer.fill <tickets>

May be called again with a larger number: what is there is kept.
"""

from __future__ import annotations

import json
import sys

import django
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from benchmarks.requests import MODELS, TEXT

BATCH = 2_000


def main(count: int) -> None:
    """Bring the database to so many tickets."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.signed_cookies import SessionStore
    from rest_framework.authtoken.models import Token

    call_command("migrate", verbosity=0)
    user, _ = get_user_model().objects.get_or_create(username="agent", is_staff=True, is_superuser=True, email="agent@example.com")
    token, _ = Token.objects.get_or_create(user=user)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    queue, tickets = fill(count)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    print(json.dumps({"token": token.key, "session": session.session_key, "queue": queue, "tickets": tickets}))


def fill(count: int) -> tuple[int, list[int]]:
    """Id of the queue, and ids of a thousand tickets, evenly spread."""
    from helpdesk.models import FollowUp, Queue, Ticket

    queue, _ = Queue.objects.get_or_create(slug="repairs", title="Repairs", email_address="repairs@example.com")
    present = Ticket.objects.count()
    for start in range(present, count, BATCH):
        numbers = range(start, min(count, start + BATCH))
        made = Ticket.objects.bulk_create(
            Ticket(
                queue=queue,
                title=f"{MODELS[number % len(MODELS)]} does not work any more",
                description=TEXT,
                submitter_email=f"c{number:08d}@example.com",
                created=timezone.now(),
                modified=timezone.now(),
                status=Ticket.OPEN_STATUS,
            )
            for number in numbers
        )
        FollowUp.objects.bulk_create(
            FollowUp(ticket=ticket, date=timezone.now(), title="Ticket Opened", comment=ticket.description, public=True) for ticket in made
        )
    ids = list(Ticket.objects.order_by("id").values_list("id", flat=True))
    return queue.pk, ids[:: max(1, len(ids) // 1000)]


if __name__ == "__main__":
    django.setup()
    main(int(sys.argv[1]))
