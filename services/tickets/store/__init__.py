"""The only place with SQL of tickets.

loading.py  lock, load and find tickets, set-based
saving.py   write what happened to them, set-based
words.py    what customers and staff wrote; the read copy of customers
levels.py   versions of policies and calendars; remembered by edition
clocks.py   the clocks of tickets      facts.py  what the history keeps of a change
views.py    lists and pages for readers
"""
