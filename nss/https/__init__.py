"""What every HTTPS client here shares."""
