"""The configuration: what settings there are, how a file is read, what the machine must have."""

from pathlib import Path

DEFAULT_CONFIG = Path("/etc/nss/nss.toml")
"""The file that a command reads when none is named; here, so that `nss --help` imports no more."""
