"""Records pushed over HTTP, as Cloud NSS does."""
