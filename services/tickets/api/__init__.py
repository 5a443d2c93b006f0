"""The REST door.

tickets.py   lists, tickets, history, messages, actions
tracking.py  the customer's view
shape.py     values into answers
"""
