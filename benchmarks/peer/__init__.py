"""django-helpdesk as a careful operator would run it, in an environment of its own (`make bench-peers`); see `peers.py`."""
