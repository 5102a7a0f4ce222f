"""The configuration: what settings there are, how a file is read, what the machine must have."""

from pathlib import Path

DEFAULT_CONFIG = Path("/etc/nss/nss.toml")
"""Where commands look for it without `--config`; here, since the command line needs it early."""
