"""The configuration in force, defaults included, as TOML."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from nss.config.kinds import OFF, OutputPath
from nss.config.load import Config
from nss.config.setting import Declared, declared, toml_text
from nss.config.values import FormatChoice

Tables = dict[str, Any]


def effective(config: Config, written: Mapping[str, Any]) -> Tables:
    """Return tables as TOML has them, with every key that has a value.

    `written` are the tables of the file: a filter is told as it was written.
    """
    feeds: Tables = {}
    for feed in config.feeds:
        own = written["feeds"][feed.name]
        feeds[feed.name] = _values(feed)
        if own.get("filter"):
            feeds[feed.name]["filter"] = own["filter"]
        feeds[feed.name]["sink"] = _kind(feed.sink) | _values(feed.sink)
    return {
        "service": _values(config.service),
        "spool": _kind(config.spool) | _values(config.spool),
        "mcas": _values(config.mcas),
        "sources": {one.name: _kind(one) | _values(one) for one in config.sources},
        "feeds": feeds,
    }


def toml(tables: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Yield lines of TOML; tables follow the keys beside them."""
    for key, value in tables.items():
        if not isinstance(value, Mapping):
            yield f"{_key(key)} = {toml_text(value)}"
    for key, value in tables.items():
        if isinstance(value, Mapping):
            name = f"{where}.{_key(key)}" if where else _key(key)
            if any(not isinstance(one, Mapping) for one in value.values()):
                yield f"\n[{name}]"
            yield from toml(value, name)


def _key(key: str) -> str:
    is_bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if is_bare else toml_text(key)


def _kind(section: Any) -> Tables:  # noqa: ANN401 - a section of any kind
    return {"kind": section.kind}


def _values(section: Any) -> Tables:  # noqa: ANN401 - a section of any kind
    """Return what the keys of a section hold; those without a value are left out."""
    values: Tables = {}
    kind: type = type(section)
    for entry in declared(kind):
        value = getattr(section, entry.field)
        if entry.key == "rotate_keep" and section.rotate_bytes is None:
            continue  # the one key that may not stand alone
        if isinstance(value, FormatChoice):
            if _says(entry, value):
                values[entry.key] = value.value or value.kind
        elif value is not None:
            values[entry.key] = tomllib.loads(f"x = {entry.setting.kind.show(value)}")["x"]
        elif isinstance(entry.setting.kind, OutputPath):
            values[entry.key] = "-"
        elif entry.default is not None:  # a default that was taken away
            values[entry.key] = OFF
    return values


def _says(entry: Declared, choice: FormatChoice) -> bool:
    return (entry.key == "format_string") == (choice.kind == "string")
