"""Rows of this service, and nothing decided. Every statement is set-based: one batch of the consumer costs one statement per table.

invitations.py   invitations, and lists of them with their answers
answers.py       answers and comments; anonymous responses
people.py        customers, who is one person, who wants no surveys, who was asked when
forms.py         forms and rules of sending, as versioned rows

Rows are locked in the order of their ids; a person is locked after rows of invitations, never before.
"""
