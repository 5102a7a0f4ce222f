"""The configuration in force, defaults included, as TOML."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from nss.config.load import Config
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
        own = written["feeds"][feed.name]
        feeds[feed.name] = _values(feed)
        if own.get("filter"):
            feeds[feed.name]["filter"] = own["filter"]
        feeds[feed.name]["sink"] = _kind(feed.sink) | _values(feed.sink)
    return {
        "service": _values(config.service),
        "spool": _kind(config.spool) | _values(config.spool),
        "mcas": _values(config.mcas),
        "sources": {s.name: _kind(s) | _values(s) for s in config.sources},
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


def _kind(section: Any) -> Tables:  # noqa: ANN401 - a section of any kind
    return {"kind": section.kind}


def _values(section: Any) -> Tables:  # noqa: ANN401 - a section of any kind
    """Return what the keys of a section hold; those without a value are left out."""
    values: Tables = {}
    held_here = list(held_by(section))
    for held in held_here:
        entry, kind = held.entry, held.entry.kind
        if isinstance(held.value, FormatChoice):
            if (entry.key == "format_string") == (held.value.kind == "string"):
                values[entry.key] = held.value.value or held.value.kind
        elif held.value is not None:
            values[entry.key] = tomllib.loads(f"x = {kind.show(held.value)}")["x"]
        elif entry.default is not None:
            values[entry.key] = kind.none
    for (
        held
    ) in held_here:  # a default that may not stand here, like one of a file that is not there
        if any(rule.is_broken(values) for rule in held.entry.rules):
            values.pop(held.entry.key, None)
    return values
