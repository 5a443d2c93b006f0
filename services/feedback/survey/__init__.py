"""What is asked, what counts as an answer, and what becomes of an invitation: pure decisions, no database, no clock, no chance."""
