"""`nss presets` and `nss fields`: what feed formats there are, and what they can print."""

import sys
from collections.abc import Sequence

import typer

from cli.output import show_json
from cli.screen.cells import columns_of, wrapped
from formats import presets
from formats.fields import Field, catalogue
from formats.structure import structure_of
from nss.errors import UsageError
from nss.wording import nearest

_LEAST_COLUMNS = 30
"""So many beside what comes before it, or a description begins a line of its own."""

_INDENT = "    "


def list_presets(*, as_json: bool) -> None:
    """Print one line for each preset: name, number of fields, structure, what it is for."""
    if as_json:
        show_json([_plain(name) for name in presets.names()])
        return
    for name in presets.names():
        feed_format = presets.load(name)
        kind = structure_of(feed_format).kind.name.lower()
        head = f"{name:<18}{len(feed_format.slots):>3} fields  {kind:<9}"
        _show(head, presets.description(name))


def print_preset(name: str, *, as_json: bool) -> None:
    """Print a preset's feed output format string as it is. Raises `UsageError`."""
    found = presets.find(name)
    if found is None:
        raise unknown_preset(f"preset {name!r} is not known", name)
    text = presets.text(found).removesuffix("\n")
    if as_json:
        show_json({**_plain(found), "format_string": text})
    else:
        typer.echo(text)


def unknown_preset(reason: str, name: str, beside: Sequence[str] = ()) -> UsageError:
    """Return the error for a name, with the nearest preset, or word of `beside`, and all."""
    near = nearest(name, [*presets.names(), *beside])
    known = ", ".join([*beside, *presets.names()])
    return UsageError(reason, tip=f"{near}, or another of {known}" if near else f"one of {known}")


def _plain(name: str) -> dict[str, object]:
    feed_format = presets.load(name)
    return {
        "name": name,
        "description": presets.description(name),
        "structure": structure_of(feed_format).kind.name.lower(),
        "fields": len(feed_format.slots),
        "replaced_by": presets.OLDER.get(name),
    }


def list_fields(search: str, *, as_json: bool) -> None:
    """Print the fields that have `search` in name, group or description."""
    found = [field for field in catalogue().values() if _has(field, search.lower())]
    if as_json:
        rows = [
            {
                "name": field.name,
                "spec": f"%{field.conversion}{{{field.name}}}",
                "group": field.group,
                "description": field.description,
                "example": field.example,
                "placeholder": field.placeholder,
                "derived_from": [way.source for way in field.derivations],
            }
            for field in found
        ]
        show_json(rows)
        return
    for field in found:
        spec = f"%{field.conversion}{{{field.name}}}"
        _show(f"{spec:<36}{field.group:<22}", field.description)
    if not found:
        near = nearest(search, catalogue())
        tip = "nss fields lists all of them"
        raise UsageError(
            f"no field has {search!r}", tip=f"nss fields {near}; {tip}" if near else tip
        )


def _show(head: str, description: str) -> None:
    """Print an entry: one line for programs, and on a terminal as many as fit into it."""
    width = columns_of(sys.stdout.fileno()) if sys.stdout.isatty() else len(head + description)
    if width >= len(head + description):
        typer.echo(head + description)
    elif width >= len(head) + _LEAST_COLUMNS:
        typer.echo("\n".join(wrapped(description, width, head, " " * len(head))))
    else:
        typer.echo(head.rstrip() if len(head.rstrip()) <= width else " ".join(head.split()))
        typer.echo("\n".join(wrapped(description, width, _INDENT, _INDENT)))


def _has(field: Field, search: str) -> bool:
    return any(search in text.lower() for text in (field.name, field.group, field.description))
