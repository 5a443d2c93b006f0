"""What intake does when something knocks: take requests, keep its copy of tickets, let customers know."""
