"""The tables of tickets. Constraints repeat what the workflow decides, so that no other path can write what it would refuse.

tables.py    all of them           columns.py      kinds of columns
tickets.py   tickets, history      promises.py     SLA
words.py     messages, customers   people.py       agents, teams, skills, assignments
cases.py     merged customers, conversations, links, proofs
expressions.py  SQL that indexes and statements have in common
"""
