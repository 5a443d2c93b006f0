"""The groups of the `aftercare` command, one noun each."""
