"""Who may connect: places for connections, spare descriptors, and the loop that accepts."""
