"""The three languages: which one a customer writes, and what is said to him in it.

guess.py      in which language he writes
questions.py  what to ask him for
details.py    what he added, as a line that people read
progress.py   how his request stands
"""

from services.intake.language.details import details_line
from services.intake.language.guess import choose_locale, guess_locale
from services.intake.language.progress import DISMISSED, RECEIVED, progress
from services.intake.language.questions import Prompt, prompts

__all__ = ["DISMISSED", "RECEIVED", "Prompt", "choose_locale", "details_line", "guess_locale", "progress", "prompts"]
