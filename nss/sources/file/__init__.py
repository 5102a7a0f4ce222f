"""Records from a file, followed through rotation or read once."""
