"""Who looks after the service of this machine, systemd or NSS itself, and what they know of it."""
