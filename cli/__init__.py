"""The `nss` command: talks to people, and imports the rest only when a command needs it."""
