"""Every setting of a configuration: its value, where that comes from, and what it is for."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass
from inspect import cleandoc
from typing import Any

from formats.filters.keys import FILTER_KEYS
from nss.config.model import SPOOL_KINDS, Config, DurableSpoolConfig
from nss.config.restart import needs_restart
from nss.config.setting import Declared, Held, held_by
from nss.config.sinks import SINK_KINDS
from nss.config.sources import SOURCE_KINDS
from nss.config.toml import choice_of, key_path, toml_text
from nss.config.values import FormatChoice
from nss.setup.hiding import Clean
from nss.setup.places import Places

_KINDS: Mapping[str, tuple[type, ...]] = {
    "spool": SPOOL_KINDS,
    "source": SOURCE_KINDS,
    "sink": SINK_KINDS,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting as people see it; values are TOML, without what is secret."""

    key: str
    """Its whole path."""
    name: str
    """Its key in its section."""
    value: str
    """What holds; empty if it has none."""
    default: str
    """What holds without the key, or `required`."""
    line: int | None
    """The line of the file that sets it; `None`: it is not set there."""
    accepts: str
    text: str
    """What it is for."""
    needs_restart: bool
    """Whether a change is taken over only at a start."""

    def matches(self, words: list[str]) -> bool:
        """Return whether every word, in small letters, is somewhere in it."""
        texts = (self.key, self.value, self.text, self.accepts)
        everything = "\n".join(texts).casefold()
        return all(word in everything for word in words)


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the configuration with its settings."""

    name: str
    text: str
    settings: tuple[Setting, ...]


def explained(
    config: Config, written: Mapping[str, Any], places: Places, clean: Clean
) -> list[Section]:
    """Return every setting of `config`, which the tables `written` state, section by section."""
    found = []
    for where, section in config.sections():
        settings = [*_kind(where, section, places), *_settings(where, section, places, clean)]
        found.append(Section(where, cleandoc(type(section).__doc__ or ""), tuple(settings)))
        if where.startswith("feeds.") and not where.endswith(".sink"):
            rules = tuple(_filter(where, written, places, clean))
            if rules:
                text = "Which records the feed takes: all keys must match, of each one value."
                found.append(Section(f"{where}.filter", text, rules))
    return found


def _settings(where: str, section: object, places: Places, clean: Clean) -> Iterator[Setting]:
    for held in held_by(section, where):
        entry = held.entry
        value = _cleaned(entry.key, _value(held), clean)
        yield Setting(
            held.key,
            entry.key,
            value,
            _default(entry),
            places.line(held.key) if places.is_written(held.key) else None,
            entry.kind.expected,
            _text(entry),
            needs_restart(held.key),
        )


def _value(held: Held) -> str:
    """Return the value as TOML; a field of two keys has it at the one that suits it."""
    entry, value = held.entry, held.value
    if isinstance(value, FormatChoice):
        fits = (entry.key == "format_string") == (value.kind == "string")
        return toml_text(value.value or value.kind) if fits else ""
    if value is None:
        return toml_text(entry.kind.none) if entry.kind.none else ""
    return entry.kind.show(value)


def _default(entry: Declared) -> str:
    if entry.example.absent:
        return entry.example.absent.replace("`", "")
    return "required" if entry.default is MISSING else entry.shown_default


def _text(entry: Declared) -> str:
    text = [entry.description, *(rule.note for rule in entry.rules)]
    if entry.role.is_secret:
        text.append("The file must not be open to everyone; what is in it is never shown.")
    if entry.example.text:
        text.append(f"Example: {entry.example.text}")
    return " ".join(text)


def _kind(where: str, section: object, places: Places) -> Iterator[Setting]:
    kind = getattr(section, "kind", None)
    if not isinstance(kind, str):
        return
    what = "spool" if where == "spool" else "sink" if where.endswith(".sink") else "source"
    key = key_path(where, "kind")
    yield Setting(
        key,
        "kind",
        toml_text(kind),
        toml_text(DurableSpoolConfig.kind) if what == "spool" else "required",
        places.line(key) if places.is_written(key) else None,
        choice_of([str(getattr(each, "kind", "")) for each in _KINDS[what]]),
        f"The kind of {what}.",
        needs_restart(key),
    )


def _filter(
    where: str, written: Mapping[str, Any], places: Places, clean: Clean
) -> Iterator[Setting]:
    name = where.partition(".")[2]
    table = written.get("feeds", {}).get(name, {}).get("filter", {})
    for key, value in table.items():
        known = FILTER_KEYS.get(key.removeprefix("not_"))
        path = key_path(f"{where}.filter", key)
        yield Setting(
            path,
            key,
            _cleaned(key, toml_text(value), clean),
            "not filtered",
            places.line(path) if places.is_written(path) else None,
            "" if known is None else known.kind,
            "" if known is None else known.description,
            needs_restart=False,
        )


def _cleaned(key: str, value: str, clean: Clean) -> str:
    """Return a value without what is secret; its key may give it away."""
    shown = clean(f"{key} = {value}".encode(errors="replace")).decode(errors="replace")
    return shown.removeprefix(f"{key} = ")
