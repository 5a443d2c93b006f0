"""Who gets the work: pure decisions over the staff as they are at one moment, each with its reasons.

staff.py    agents, teams, skills as values      routing.py  which team takes a ticket
turns.py    which of its agents, and why not the others
roster.py   the staff of one transaction: decides ticket after ticket, and remembers who was given what
queue.py    in which order those who wait are handed out
"""
