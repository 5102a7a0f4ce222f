"""The proxy to the Internet, for apt, which brings the security updates."""

from pathlib import Path
from urllib.parse import urlsplit

from nss.addresses import host_port
from nss.config.values import proxy_url
from nss.errors import ConfigError
from nss.files.private import write_private
from nss.wording import error_text

APT_FILE = Path("/etc/apt/apt.conf.d/90nss-proxy")

_MODE = 0o644


def read_proxy(text: str) -> str:
    """Return a proxy as the configuration has it: `http://HOST:PORT`. Raises `InvalidValue`."""
    return str(proxy_url().read(text))


def proxy_of(host: str, port: str) -> str:
    """Return the proxy at a host and a port. Raises `InvalidValue`."""
    if not port.isascii() or not port.isdecimal():
        return read_proxy(f"http://{host}:?")
    return read_proxy(f"http://{host_port(host.strip('[]'), int(port))}")


def split_proxy(proxy: str | None) -> tuple[str, str]:
    """Return host and port of a proxy; empty texts without one."""
    if proxy is None:
        return "", ""
    parts = urlsplit(proxy)
    return parts.hostname or "", str(parts.port or "")


def apt_text(proxy: str) -> str:
    """Return the file that has apt use a proxy; what is in it was checked by `read_proxy`."""
    safe = read_proxy(proxy).replace('"', "").replace("\\", "")
    lines = [f'Acquire::{way}::Proxy "{safe}/";' for way in ("http", "https")]
    return "\n".join(["// Written by nss configure-network.", *lines]) + "\n"


def apt_proxy(file: Path = APT_FILE) -> str | None:
    """Return the proxy that a file of `apt_text` has."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = [line.split('"')[1] for line in text.splitlines() if line.count('"') > 1]
    return found[0].rstrip("/") if found else None


def store_apt_proxy(proxy: str | None, file: Path = APT_FILE) -> None:
    """Have apt use a proxy, or none. Raises `ConfigError`."""
    try:
        if proxy is None:
            file.unlink(missing_ok=True)
        elif file.parent.is_dir():
            write_private(file, apt_text(proxy).encode(), owner=(0, 0), mode=_MODE)
    except OSError as error:
        raise ConfigError(
            f"proxy: {error_text(error)} ({file})", tip="run the command with sudo"
        ) from None
