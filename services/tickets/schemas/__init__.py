"""What travels through the REST door.

actions.py, params.py  on the way in
answers.py             on the way out
"""
