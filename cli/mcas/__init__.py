"""The commands that configure MCAS and look at it."""
