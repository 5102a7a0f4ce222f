"""The spool in SQLite: what is accepted survives the process."""
