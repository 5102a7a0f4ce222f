"""Records from TCP connections, with TLS if wanted."""
