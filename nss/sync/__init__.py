"""The way back: apps that are unsanctioned in MCAS become a URL category, or a list for others."""
