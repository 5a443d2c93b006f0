"""A message to a customer as a mail: in his language, plain text and simple HTML, and never with a word that a requester wrote.

wording.py   subject, text and HTML from the templates
letter.py    the mail itself, as it goes over the wire
"""

from services.intake.mail.letter import compose, message_id
from services.intake.mail.wording import Letterhead, Words, locale_of, write

__all__ = ["Letterhead", "Words", "compose", "locale_of", "message_id", "write"]
