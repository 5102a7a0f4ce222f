"""What HTTPS clients share, and what HTTP servers do."""
