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

BLOB_DOMAINS: Mapping[Cloud, str] = {
    "commercial": "blob.core.windows.net",
    "GCC": "blob.core.usgovcloudapi.net",
    "US Government": "blob.core.usgovcloudapi.net",
}
"""Where the storages are that files are uploaded to."""

_STORAGES: Mapping[tuple[Cloud, str], str] = {
    ("commercial", "us"): "adaprodconsole",
    ("commercial", "us2"): "prod03use2console1",
    ("commercial", "us3"): "prod5usw2console1",
    ("commercial", "eu"): "prod02euwconsole1",
    ("commercial", "eu2"): "prod4uksconsole1",
    ("GCC", "us1"): "gccm1usgvconsole1",
    ("US Government", "us1"): "gprd1usgvconsole1",
}
"""By cloud and region, as the network requirements of the log collector name them."""

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


def region(host: str) -> str:
    """Return the region in a host of MCAS, `TENANT.REGION.DOMAIN`; empty where it names none."""
    for domain in API_DOMAINS:
        if host.endswith(f".{domain}"):
            _, dot, found = host.removesuffix(f".{domain}").rpartition(".")
            return found if dot else ""
    return ""


def storage_host(host: str) -> str | None:
    """Return the documented host of the storage for a host of MCAS, `None` if none is known."""
    cloud = api_cloud(host)
    name = None if cloud is None else _STORAGES.get((cloud, region(host)))
    return None if cloud is None or name is None else f"{name}.{BLOB_DOMAINS[cloud]}"
