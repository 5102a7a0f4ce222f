"""No answer from a service: what httpx raises, as a sentence that names what to fix.

No sentence has the error's own text in it: that may quote a URL, or a proxy's user and password.
"""

import re
import ssl
from collections.abc import Iterator
from typing import Literal, NamedTuple

import httpx

_NOT_YET_VALID = 9
_EXPIRED = 10
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""

_PROXY_STATUS = re.compile(r"\b([1-5]\d\d)\b")


class Trouble(NamedTuple):
    """What is wrong, what to do, and the setting to change."""

    sentence: str
    tip: str | None = None
    field: Literal["ca_file", "proxy", "clock"] | None = None


def trouble(error: Exception, section: str) -> Trouble:
    """Return what an error of httpx means; `section` of the configuration says how to connect."""
    for cause in causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _bad_certificate(cause, section)
    if isinstance(error, httpx.ProxyError):
        found = _PROXY_STATUS.match(str(error))
        answer = f": HTTP {found[1]}" if found is not None else ""
        tip = f"see proxy and proxy_auth_file in [{section}]"
        return Trouble(f"the proxy does not let it through{answer}", tip, "proxy")
    reason = "the connection broke off"
    if isinstance(error, httpx.TimeoutException):
        reason = "no answer in time"
    elif isinstance(error, httpx.ConnectError):
        reason = "no connection"
    if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
        tip = f"see that this machine may reach it on port 443, or set proxy in [{section}]"
        return Trouble(reason, tip)
    return Trouble(reason)


def web_page(service: str, section: str) -> Trouble:
    """Return what a web page means where the answer of a service should be."""
    return Trouble(
        f"something on the way answers with a web page instead of {service}",
        f"see whether a proxy or a sign-in page stands between: proxy in [{section}]",
        "proxy",
    )


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it; libraries keep that in several places."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        at = waiting.pop(0)
        if not isinstance(at, BaseException) or id(at) in seen:
            continue
        seen.add(id(at))
        yield at
        waiting += [*at.args, getattr(at, "reason", None), at.__cause__, at.__context__]


def _bad_certificate(error: ssl.SSLCertVerificationError, section: str) -> Trouble:
    reason = error.verify_message.rstrip(".").lower()
    if error.verify_code in {_NOT_YET_VALID, _EXPIRED}:
        tip = "see that the clock is right, for example with timedatectl set-ntp true"
        return Trouble(f"by this machine's clock, the server's {reason}", tip, "clock")
    tip = (
        f"name the authority's certificate as ca_file in [{section}], if a proxy inspects what is "
        "sent; see that the machine's clock is right"
    )
    return Trouble(f"the certificate is not trusted: {reason}", tip, "ca_file")
