"""SQL of intake, one module per noun. Everything on the way of a request is set-based: one statement for a whole batch."""
