"""Zscaler Internet Access: configure, show and clear what signs in there."""
