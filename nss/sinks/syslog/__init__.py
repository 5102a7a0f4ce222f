"""Syslog over UDP and over TCP, with TLS if wanted."""
