"""The workflow core: pure decisions over frozen values.

status.py    the table: statuses, actions, who may do what
ticket.py    a ticket as a value
commands.py  what may be asked        -> actions.py   what becomes of it: changes, or TransitionRefused
messages.py  a customer's further word, opening.py the beginning, gratitude.py "thanks" and nothing else
changes.py   what happened; folding it rebuilds the ticket
announce.py  the events that other services hear
"""
