"""What Aftercare costs, side by side with its limits: `make bench`; see README.md.

Services and shared code know nothing of it: everything here looks at them from outside, or calls the same functions that they call.
"""
