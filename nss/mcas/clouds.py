"""Microsoft's clouds: which login hosts and which MCAS hosts belong together.

Sources: the hosts that msal knows without asking, and the network requirements of Defender for
Cloud Apps. Hosts of this machine are a stand-in (`nss.lab`) and go with every cloud.
"""

import ipaddress
from collections.abc import Mapping
from typing import Literal

MCAS_APP_ID = "05a65629-4c1b-48c1-a78b-804c4abdd4af"
"""The application "Microsoft Cloud App Security"; documented for the commercial cloud."""

Cloud = Literal["commercial", "GCC", "US Government", "China", "sovereign"]

LOGIN_HOSTS: Mapping[str, Cloud] = {
    "login.microsoftonline.com": "commercial",
    "login.microsoft.com": "commercial",
    "login.windows.net": "commercial",
    "sts.windows.net": "commercial",
    "login.microsoftonline.us": "US Government",
    "login.usgovcloudapi.net": "US Government",
    "login.partner.microsoftonline.cn": "China",
    "login.chinacloudapi.cn": "China",
    "login.sovcloud-identity.fr": "sovereign",
    "login.sovcloud-identity.de": "sovereign",
    "login.sovcloud-identity.sg": "sovereign",
}

API_DOMAINS: Mapping[str, Cloud] = {
    "portal.cloudappsecurity.com": "commercial",
    "portal.cloudappsecuritygov.com": "GCC",
    "portal.cloudappsecurity.us": "US Government",
}

LOGINS_OF: Mapping[Cloud, frozenset[Cloud]] = {
    "commercial": frozenset({"commercial"}),
    "GCC": frozenset({"commercial", "US Government"}),
    "US Government": frozenset({"US Government"}),
}
"""The clouds in which to sign in for MCAS of a cloud. For GCC, commercial is undocumented."""


def is_this_machine(host: str) -> bool:
    """Return whether a host is on loopback."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def api_cloud(host: str) -> Cloud | None:
    """Return the cloud of a host of MCAS, `None` for any other host."""
    for domain, cloud in API_DOMAINS.items():
        if host == domain or host.endswith(f".{domain}"):
            return cloud
    return None
