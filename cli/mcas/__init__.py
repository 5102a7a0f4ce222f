"""The commands that configure MCAS and show its state."""
