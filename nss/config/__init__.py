"""The configuration: what settings there are, how a file is read, what the machine must have."""
