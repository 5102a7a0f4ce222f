"""The services played on this machine: to watch NSS at work, and to rehearse."""
