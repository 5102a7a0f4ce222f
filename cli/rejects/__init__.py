"""Records that were rejected: shown, sent again, deleted."""
