"""What callers send and get: the only place where JSON becomes values.

requests.py   requests                     details.py    what is added to them
answers.py    what became of them
customers.py  customer files
notifications.py, templates.py  messages to customers, and how they read
"""
