"""The dashboard: one page for managers, live, in three languages, with everything it needs served by ourselves."""
