"""Commands for the portal: who may sign in, and how."""
