"""The survey page: plain HTML that works on any phone, without JavaScript, in three languages."""
