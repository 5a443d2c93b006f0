"""A message to a customer as a mail: in his language, plain text and simple HTML, and never with a word that a requester wrote.

wording.py   subject, text and HTML from the templates
checking.py  whether a wording of the organisation's own may be sent
letter.py    the mail itself
headers.py   how its headers are made
"""

from services.intake.mail.checking import MAX_WORDING, faults
from services.intake.mail.letter import compose, message_id
from services.intake.mail.wording import Letterhead, Words, locale_of, wording_of_release, write

__all__ = ["MAX_WORDING", "Letterhead", "Words", "compose", "faults", "locale_of", "message_id", "wording_of_release", "write"]
