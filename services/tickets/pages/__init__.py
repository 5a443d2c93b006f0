"""The tracking page: plain HTML that works on any phone, without a script, in three languages."""
