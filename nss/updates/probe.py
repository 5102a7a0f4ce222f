"""Whether a server refuses this client: apt does not tell that from a connection that just ended.

With TLS 1.3 a server refuses a client certificate after the handshake, and apt's words for that are
those for a silent server; with TLS 1.2 they leave out which alert came. So after such words the
same request is made once more, by a process of apt's own user, and OpenSSL names the alert.
"""

import json
import os
import pwd
import subprocess
from pathlib import Path

PLAN = "probe.json"
"""The file beside the keys that says what is asked; it may hold the proxy's password."""

_SPARE_SECS = 10.0

_AT_WORK = """\
import base64, http.client, json, os, ssl, sys, urllib.parse
folder = sys.argv[1]
with open(os.path.join(folder, "probe.json")) as file:
    asked = json.load(file)
def beside(name):
    path = os.path.join(folder, name)
    return path if os.path.exists(path) else None
context = ssl.create_default_context(cafile=beside("CAInfo"))
if beside("SslCert"):
    context.load_cert_chain(beside("SslCert"), beside("SslKey"))
there = urllib.parse.urlsplit(asked["url"])
address = (there.hostname, there.port or 443)
via = None if asked["proxy"] == "DIRECT" else urllib.parse.urlsplit(asked["proxy"])
if via is not None and via.scheme != "http":
    sys.exit(0)
first = address if via is None else (via.hostname, via.port or 80)
one = http.client.HTTPSConnection(*first, timeout=asked["secs"], context=context)
if via is not None:
    login = ":".join(urllib.parse.unquote(each or "") for each in (via.username, via.password))
    words = {"Proxy-Authorization": "Basic " + base64.b64encode(login.encode()).decode()}
    one.set_tunnel(*address, headers=words if via.username else {})
try:
    one.connect()
    # The alert comes before any request: whoever writes first may lose it to a reset.
    one.sock.settimeout(min(2, asked["secs"]))
    try:
        one.sock.recv(1)
    except TimeoutError:
        one.sock.settimeout(asked["secs"])
    one.request("GET", there.path)
    one.getresponse()
except ssl.SSLError as error:
    print(error.reason or str(error).upper().replace(" ", "_"))
except (OSError, http.client.HTTPException):
    pass
"""

_REFUSALS = (
    "CERTIFICATE_REQUIRED",
    "ALERT_UNKNOWN_CA",
    "ALERT_CERTIFICATE",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_UNSUPPORTED_CERTIFICATE",
    "ALERT_ACCESS_DENIED",
    "ALERT_DECRYPT_ERROR",
    "ALERT_HANDSHAKE_FAILURE",
)


def asked(url: str, proxy: str, timeout_secs: float) -> str:
    """Return the text of the file `PLAN`."""
    return json.dumps({"url": url, "proxy": proxy, "secs": timeout_secs})


def alert(private: Path) -> str:
    """Return the alert by which the server refuses this client, else nothing.

    `private` is the folder with keys, certificates and `PLAN`.
    """
    owner = _owner()
    try:
        plan = json.loads((private / PLAN).read_text(encoding="utf-8"))
        if not plan["url"].startswith("https:"):
            return ""
        ran = subprocess.run(  # noqa: S603 - the text above
            ["/usr/bin/env", "python3", "-I", "-c", _AT_WORK, str(private)],
            user=None if owner is None else owner[0],
            group=None if owner is None else owner[1],
            extra_groups=None if owner is None else [],
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=2 * plan["secs"] + _SPARE_SECS,
            check=False,
        )
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
        return ""
    words = ran.stdout.strip()
    return words.lower().replace("_", " ")[:80] if any(map(words.count, _REFUSALS)) else ""


def _owner() -> tuple[int, int] | None:
    """Return the user and group of apt's methods; `None`: whoever runs this, or nobody else."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("_apt")
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid
