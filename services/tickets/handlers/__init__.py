"""One desk behind all doors: load, decide, save, announce, inside the transaction that the door opened.

reception.py  what the bus brings: requests, customers, survey answers
desk.py       what people ask for by REST
deadlines.py  what the clock brings
"""
