"""Intake: every request of a customer comes in here and every message to a customer goes out from here."""
