"""The delivery protocol under faults: a small deterministic world around the decisions of `shared/protocol.py`.

The world has one numbered log. Its source database, its broker, its relays and its consumers are imitated here step by step; what to
send, to apply and to report is decided by the very functions that the real relay and consumer call. Between any two steps a scheduler
with a seed may crash, delay, repeat, lose or restore something.

    broker     the partition and the network before it
    source     the producing service's database: outbox, head, cursor, floor, known
    relay      owns the log, checks the tail, sends, awaits, commits
    consumer   the consuming service's database; polls, applies, commits, reports; replays parked keys
    world      all of it together, its clock, its trace
    invariants what must hold after every step, and at rest
    schedule   a seed becomes a run
"""
