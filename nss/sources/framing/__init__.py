"""Blocks of bytes -> records, one a line."""
