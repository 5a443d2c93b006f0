"""Who a request is from.

schemes.py    kinds of identities              addresses.py  phone numbers and e-mail addresses
who.py        whom identities recognise        merging.py    two customers are one person, or not after all
masking.py    what may be shown of an identity
"""

from services.intake.identity.addresses import email_identity, phone_identity
from services.intake.identity.schemes import Evidence, Identity, Scheme, Unreadable, account_identity, app_user_identity
from services.intake.identity.who import Arrival, Assignment, Directory, assign, judge

__all__ = [
    "Arrival",
    "Assignment",
    "Directory",
    "Evidence",
    "Identity",
    "Scheme",
    "Unreadable",
    "account_identity",
    "app_user_identity",
    "assign",
    "email_identity",
    "judge",
    "phone_identity",
]
