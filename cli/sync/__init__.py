"""The commands of the way back: unsanctioned apps to the gateway."""
