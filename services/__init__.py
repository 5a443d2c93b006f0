"""The four services; they meet only on the bus."""
