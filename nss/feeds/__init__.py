"""A feed at work: decode, filter, render, deliver."""
