"""The REST door: requests and customer files.

callers.py     who is calling              requests.py  requests in, one by one or in batches
orders.py      requests of a customer or about an order
following.py   what became of a request, what is added to it, and that it was none
customers.py   customer files              merges.py    two files are one person
identities.py  what customers are known by
answering.py, reading.py, showing.py       what their routes share
notifications.py                           messages to customers
templates.py, previews.py                  how messages read
"""

from services.intake.api.callers import Desk, writer_of_answers

__all__ = ["Desk", "writer_of_answers"]
