"""How people and programs query and operate a running service."""
