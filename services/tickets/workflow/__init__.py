"""The workflow core: pure decisions over frozen values.

status.py     the table: statuses, actions, who may do what
ticket.py     a ticket as a value, and its deadlines
commands.py   what may be asked           actions.py   what becomes of it: changes, or TransitionRefused
opening.py    how a ticket begins         messages.py  a customer's further word   gratitude.py  thanks and nothing else
changes.py    what happened               evolution.py folding it, which rebuilds the ticket
clocks.py     what facts do to the clocks      chronicle.py  what happened to them, for people
announce.py   what other services hear    docket.py    the tickets of one transaction, and what happened to them
"""
