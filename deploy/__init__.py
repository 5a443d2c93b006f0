"""Runs the platform: the `aftercare` command line and the local platform."""
