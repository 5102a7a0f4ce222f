"""A record to a line: a generated function over a batch, and the reference that can be read."""
