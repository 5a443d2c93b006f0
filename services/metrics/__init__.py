"""Metrics: key figures that can be proved. Reads the facts of the other services, answers in numbers, holds no text and no person."""
