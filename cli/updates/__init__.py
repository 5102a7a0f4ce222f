"""Updates: what the repository has, and the way there and back."""
