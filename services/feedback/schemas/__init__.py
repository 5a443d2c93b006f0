"""What goes in and out over REST, one noun per module. The shape is checked here, the rules of the trade in `survey/`."""
