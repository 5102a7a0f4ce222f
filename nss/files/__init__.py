"""Files that are private, and names that are set aside."""
