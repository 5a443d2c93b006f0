"""The REST door, one noun per module: surveys for whoever holds their link, everything else for staff."""

from services.feedback.api import anonymous, forms, invitations, preferences, rules, surveys

ROUTERS = (surveys.router, invitations.router, forms.router, rules.router, preferences.router, anonymous.router)

__all__ = ["ROUTERS"]
