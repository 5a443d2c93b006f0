"""The local platform: what `make run` starts, and the servers that the tests start.

`postgres` and `kafka` stand on their own: the tests use them without the supervisor. A server here is a child of the process that
made it and ends with it, however that process ends; nothing is left behind in the background.
"""
