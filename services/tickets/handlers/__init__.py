"""One desk behind all doors: load, decide, save, announce, inside the transaction that the door opened.

reception.py  what the bus brings: requests, customers, survey answers
desk.py       what people ask for by REST
deadlines.py  what the clock brings
levels.py     changes of calendars and policies     explaining.py  why targets stand as they do
"""
