"""Tickets: carries every request through its workflow to a confirmed solution, and watches the promised times."""
