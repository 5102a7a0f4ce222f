"""`nss presets` and `nss fields`: what feed formats there are, and what they can print."""

import typer

from cli.output import show_json
from formats import presets
from formats.fields import Field, catalogue
from formats.structure import structure_of
from nss.errors import UsageError


def list_presets() -> None:
    """Print one line for each preset: name, number of fields, structure, whether it is older."""
    for name in presets.names():
        feed_format = presets.load(name)
        kind = structure_of(feed_format).kind.name.lower()
        row = f"{name:<18}{len(feed_format.slots):>3} fields  {kind:<9}"
        newer = presets.OLDER.get(name)
        typer.echo(f"{row} older variant of {newer}" if newer else row.rstrip())


def print_preset(name: str) -> None:
    """Print a preset's feed output format string as it is. Raises `UsageError`."""
    if name not in presets.names():
        known = ", ".join(presets.names())
        raise UsageError(f"preset {name!r} is not known", tip=f"one of {known}")
    typer.echo(presets.text(name).removesuffix("\n"))


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
        typer.echo(f"{spec:<36}{field.group:<22}{field.description}")
    if not found:
        raise UsageError(f"no field has {search!r}", tip="nss fields lists all of them")


def _has(field: Field, search: str) -> bool:
    return any(search in text.lower() for text in (field.name, field.group, field.description))
