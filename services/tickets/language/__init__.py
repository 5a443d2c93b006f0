"""Our codes in words, in simplified Chinese, traditional Chinese and English; translated by meaning, not converted.

codes.py      one code, one word          sentences.py  what happened, for staff
customers.py  how it stands, for customers
"""
