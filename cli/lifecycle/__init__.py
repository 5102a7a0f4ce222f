"""Commands that start, stop and restart the service of this machine."""
