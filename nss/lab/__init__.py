"""Stand-ins on loopback to try everything without an account: generator, collector, cloud."""
