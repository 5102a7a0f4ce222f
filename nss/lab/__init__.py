"""Loopback stand-ins to try everything without an account: record generator and collector."""
