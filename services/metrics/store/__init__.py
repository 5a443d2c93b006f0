"""Metrics' SQL, set-based and in sorted order.

Locks, in this order: the table `projection` (shared by who writes, exclusive for who changes generations), the row of a generation that
is being built, facts by subject and with them the rows that follow from one subject (spans, aliases, then complaints by customer file), the
counts of a generation.

log.py  the event log     facts.py  what is known     states.py  rows of one subject     rollups.py  counts
building.py  counts of a generation that is being built
generations.py  which of them are in use     backlog.py, complaints.py  questions to those rows     targets.py  what is aimed at
"""
