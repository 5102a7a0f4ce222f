"""Which machine a request says it is for, and which web page may have sent it.

A source without a token trusts whoever reaches it, so it is only for this machine. A web browser
runs on this machine too, with pages from anywhere. They can send a POST to any address, with their
`Origin`; or have their own name resolve to 127.0.0.1 (DNS rebinding), with that name as the `Host`.
"""

import ipaddress
import re

_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")
"""RFC 9110, section 7.2, without versions of IP that nobody has."""


def is_host(value: bytes) -> bool:
    """Return whether this is a valid value of `Host`."""
    return _HOST.fullmatch(value) is not None


def is_this_machine(host: bytes, listen_host: str) -> bool:
    """Return whether a valid `Host` is a loopback name or address, or the configured host."""
    match = _HOST.fullmatch(host)
    name = match[1].decode().strip("[]").rstrip(".").lower() if match else ""
    if name in {"localhost", listen_host.rstrip(".").lower()}:
        return bool(name)
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_same_origin(origin: bytes, scheme: str, host: bytes) -> bool:
    """Return whether `Origin` is this server: the `Host` of the request over the same scheme."""
    return origin.lower() == scheme.encode() + b"://" + host.lower()
