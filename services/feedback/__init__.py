"""Feedback: asks every customer how it went, keeps the answers, and tells the others what they said in numbers."""
