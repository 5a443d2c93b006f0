"""What travels through the REST door.

actions.py, params.py  on the way in
answers.py             on the way out
levels.py, reckoning.py  calendars and policies; the reckoning of a ticket
"""
