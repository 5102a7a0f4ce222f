"""What command line and portal share when they set something up."""
