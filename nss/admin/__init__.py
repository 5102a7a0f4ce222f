"""What people and programs ask of a running service, and how it answers them."""
