"""Load, decide, save, tell. A handler works inside the transaction of the door that called it; it never commits.

inviting.py      what the bus and the timers bring: invitations are planned, sent or throttled, reminded of, cancelled
answering.py     the customer's answer, with or without his name
preferences.py   who wants no surveys
publishing.py    new versions of forms and of the rules of sending
"""
