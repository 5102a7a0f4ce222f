"""What a shell may complete: names of feeds, presets and fields. Quick, and silent about faults."""

import re
from collections.abc import Iterator
from pathlib import Path

import typer

_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_MAX_CONFIG_BYTES = 4 << 20


def feed_names(context: typer.Context) -> list[str]:
    """Return the feeds of the configuration that the command line names, none if it can't be read.

    Nothing else of it is looked at: neither whether it is valid, nor what files it names.
    """
    return list(_sections(context, "feeds"))


def source_names(context: typer.Context) -> list[str]:
    """Return the Kafka sources of that configuration."""
    found = _sections(context, "sources")
    return [
        name for name, one in found.items() if isinstance(one, dict) and one.get("kind") == "kafka"
    ]


def _sections(context: typer.Context, kind: str) -> dict[str, object]:
    import tomllib

    from nss.files.private import FileFault, read_bounded

    config = context.params.get("config")
    if not isinstance(config, (str, Path)):  # its default is a path, what is typed is text
        return {}
    try:
        found = tomllib.loads(read_bounded(Path(config), _MAX_CONFIG_BYTES).decode()).get(kind)
    except (OSError, FileFault, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: section for name, section in found.items() if _NAME.fullmatch(name)}


def preset_names(incomplete: str) -> list[tuple[str, str]]:
    """Return the presets with what they are for, in the case in which somebody began to type."""
    from formats import presets

    small = incomplete != incomplete.upper()
    return [
        (name.lower() if small else name, presets.description(name)) for name in presets.names()
    ]


def input_names(incomplete: str) -> list[tuple[str, str]]:
    """Return the formats that records may be in."""
    words = [("auto", "recognised from the records"), ("json", "objects with NSS field names")]
    return [*words, *preset_names(incomplete)]


def exact_preset_names() -> list[tuple[str, str]]:
    """Return the presets as a configuration names them."""
    return preset_names("")


def field_names() -> Iterator[tuple[str, str]]:
    """Yield the fields with what they are."""
    from formats.fields import catalogue

    for name, field in catalogue().items():
        yield name, field.description
