"""Programs that do the same work in other ways: what Aftercare is measured beside. Each is as good as its way allows."""
