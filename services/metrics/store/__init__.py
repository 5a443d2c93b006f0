"""Metrics' SQL, set-based and in sorted order.

Locks, in this order: the table `projection` (shared by who writes, exclusive for who changes generations), the row of a generation that
is being built, facts by subject, rollups by key.
"""
