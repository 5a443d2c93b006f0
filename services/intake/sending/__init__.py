"""Whether, when and where a message to a customer goes: decisions on values, nothing is read or written here.

kinds.py            what may be sent, and what each kind demands
acknowledging.py    which requests get a receipt
planning.py         what to do with a message that is due
budget.py           how many automatic messages an address bears, and who goes first
retries.py          when to try again, and when to give up
notification.py     the message itself
"""

from services.intake.sending.acknowledging import MATTER, is_acknowledged
from services.intake.sending.budget import LIMITS, REMEMBERED, Use, allot, next_free
from services.intake.sending.kinds import AUTOMATIC, KINDS, Consents, Kind, kind_of
from services.intake.sending.notification import Address, Failure, Notification, masked
from services.intake.sending.planning import Circumstances, Hold, Plan, Postpone, Send, budget_key, plan, quiet_until
from services.intake.sending.retries import FIRST_DELAY, GIVE_UP_AFTER, LONGEST_DELAY, retry_at, spread

__all__ = [
    "AUTOMATIC",
    "FIRST_DELAY",
    "GIVE_UP_AFTER",
    "KINDS",
    "LIMITS",
    "LONGEST_DELAY",
    "MATTER",
    "REMEMBERED",
    "Address",
    "Circumstances",
    "Consents",
    "Failure",
    "Hold",
    "Kind",
    "Notification",
    "Plan",
    "Postpone",
    "Send",
    "Use",
    "allot",
    "budget_key",
    "is_acknowledged",
    "kind_of",
    "masked",
    "next_free",
    "plan",
    "quiet_until",
    "retry_at",
    "spread",
]
