"""The machine of the appliance: its network, its firewall, and what its console shows."""

from pathlib import Path

RELEASE = Path("/usr/lib/nss-appliance/release")
"""There exactly on the appliance: `VERSION=` and `BUILT=` (seconds since the epoch)."""


def is_appliance(release: Path = RELEASE) -> bool:
    """Return whether this machine was made from an image of the appliance."""
    return release.is_file()
