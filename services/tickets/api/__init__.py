"""The REST door.

lists.py     lists and search          tickets.py  one ticket, and what can be done with it
records.py   history, messages, links
tracking.py  the customer's view
queues.py    who waits where, and whose a ticket is and why
agents.py, teams.py  members of staff, teams, skills; staff.py is what they share
levels.py    calendars, policies, the reckoning of a ticket
shape.py, levels_shape.py  values into answers
"""
