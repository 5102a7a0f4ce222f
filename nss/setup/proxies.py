"""The proxy in a configuration file: changed in its place, and nothing else."""

from pathlib import Path

from nss.config import load as configuration
from nss.config.toml import toml_text
from nss.errors import ConfigError
from nss.setup.places import Places

_KEY = "proxy"


def with_proxy(text: str, proxy: str | None, base: Path) -> str:
    """Return a configuration with a proxy, or none, for MCAS, and for ZIA if it has that section.

    `base` is where relative paths start. Raises `ConfigError` when a line can't be found that has
    to be changed, or what comes of it is wrong (`proxy_auth_file` without a proxy).
    """
    tables = configuration.tables_of(text)
    for section in ("mcas", "zia"):
        if section == "mcas" or section in tables:
            text = _with(text, section, proxy)
    configuration.parse(text, base, origin="the configuration with the proxy")
    found = configuration.tables_of(text)
    mcas = found.get("mcas", {})
    if not isinstance(mcas, dict) or mcas.get(_KEY) != proxy:
        raise _by_hand("mcas")
    return text


def _with(text: str, section: str, proxy: str | None) -> str:
    lines = text.splitlines(keepends=True)
    at = Places(text).line(f"{section}.{_KEY}") if _is_written(text, section) else None
    line = "" if proxy is None else f"{_KEY} = {toml_text(proxy)}\n"
    if at is not None:
        if not lines[at - 1].lstrip().startswith(_KEY):
            raise _by_hand(section)
        lines[at - 1] = line
        return "".join(lines)
    if proxy is None:
        return text
    header = [number for number, each in enumerate(lines) if each.strip() == f"[{section}]"]
    if header:
        lines.insert(header[0] + 1, line)
        return "".join(lines)
    if section in configuration.tables_of(text):
        raise _by_hand(section)
    end = "" if text.endswith("\n") or not text else "\n"
    return f"{text}{end}\n[{section}]\n{line}"


def _is_written(text: str, section: str) -> bool:
    table = configuration.tables_of(text).get(section, {})
    return isinstance(table, dict) and _KEY in table


def _by_hand(section: str) -> ConfigError:
    return ConfigError(
        f"proxy: [{section}] is written so that only a person can change it",
        tip=f"edit it: {_KEY} in [{section}]",
    )
