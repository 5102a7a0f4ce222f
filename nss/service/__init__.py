"""The composition root: start, reload, drain and stop."""
