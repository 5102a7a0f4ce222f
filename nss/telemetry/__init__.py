"""What happened, reported once: log lines, counters and the audit trail."""
