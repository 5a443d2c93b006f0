"""The REST door.

tickets.py   lists, tickets, history, messages, actions
tracking.py  the customer's view
queues.py    who waits where, and whose a ticket is and why
agents.py, teams.py  members of staff, teams, skills; staff.py is what they share
shape.py     values into answers
"""
