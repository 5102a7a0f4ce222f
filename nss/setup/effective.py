"""The configuration in force, defaults included, as TOML."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from nss.config.model import Config
from nss.config.setting import held_by
from nss.config.toml import key_path, toml_text, written_key
from nss.config.values import FormatChoice

Tables = dict[str, Any]


def effective(config: Config, written: Mapping[str, Any]) -> Tables:
    """Return tables as TOML has them, with every key that has a value.

    `written` are the tables of the file: a filter stays as it was written.
    """
    feeds: Tables = {}
    for feed in config.feeds:
        feeds[feed.name] = _values(feed)
        if keep := written["feeds"][feed.name].get("filter"):
            feeds[feed.name]["filter"] = keep
        feeds[feed.name]["sink"] = _values(feed.sink)
    return {
        "service": _values(config.service),
        "spool": _values(config.spool),
        "mcas": _values(config.mcas),
        "zia": _values(config.zia),
        "sync": _values(config.sync),
        "portal": _values(config.portal),
        "sources": {source.name: _values(source) for source in config.sources},
        "feeds": feeds,
    }


def toml(tables: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Yield lines of TOML; tables follow the keys beside them."""
    for key, value in tables.items():
        if not isinstance(value, Mapping):
            yield f"{written_key(key)} = {toml_text(value)}"
    for key, value in tables.items():
        if isinstance(value, Mapping):
            name = key_path(where, key)
            if any(not isinstance(item, Mapping) for item in value.values()):
                yield f"\n[{name}]"
            yield from toml(value, name)


def _values(section: object) -> Tables:
    """Return what the keys of a section hold; those without a value are left out."""
    values: Tables = {"kind": section.kind} if hasattr(section, "kind") else {}
    settings = list(held_by(section))
    for held in settings:
        entry, value = held.entry, held.value
        if isinstance(value, FormatChoice):
            if (entry.key == "format_string") == (value.kind == "string"):
                values[entry.key] = value.value or value.kind
        elif value is not None:
            values[entry.key] = tomllib.loads(f"x = {entry.kind.show(value)}")["x"]
        elif entry.default is not None:
            values[entry.key] = entry.kind.none
    for held in settings:  # a default may not stand alone, like how many rotated files are kept
        if any(held.entry.broken_rules(values)):
            del values[held.entry.key]
    return values
