"""The only place with SQL of tickets.

loading.py  lock, load and find tickets, set-based
saving.py   write what happened to them, set-based
words.py    what customers and staff wrote; the read copy of customers
policy.py   the versions of the SLA policy
views.py    lists and pages for readers
"""
