"""The tables of tickets. Constraints repeat what the workflow decides, so that no other path can write what it would refuse.

columns.py   kinds of columns      tickets.py   tickets, history, numbers
promises.py  SLA                   words.py     messages, customers
people.py    agents, teams, skills, assignments
cases.py     merged customers, conversations, links, proofs
"""

from services.tickets.models import cases, people, promises, tickets, words
from services.tickets.models.columns import metadata
from shared.migrations import shared_tables

__all__ = ["cases", "metadata", "people", "promises", "tickets", "words"]

shared_tables(metadata, service="tickets", timers=True)
