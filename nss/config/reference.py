"""The reference page of the configuration, rendered from the declarations.

Run as `python -m nss.config.reference`, it prints `docs/configuration.md`.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING
from inspect import cleandoc
from itertools import chain

from formats.filters.keys import FILTER_KEYS, KINDS
from nss.config.model import (
    SPOOL_KINDS,
    DurableSpoolConfig,
    FeedConfig,
    McasConfig,
    ServiceConfig,
    ZiaConfig,
)
from nss.config.portal import PortalConfig
from nss.config.setting import Declared, declared
from nss.config.sinks import SINK_KINDS
from nss.config.sources import SOURCE_KINDS, CommonSourceConfig
from nss.config.sync import SyncConfig
from nss.config.toml import choice_of
from nss.config.updates import UpdatesConfig

_OPENING = """\
# Configuration

NSS reads one TOML file, `/etc/nss/nss.toml` unless `--config FILE` names another.
`packaging/nss.toml` is a commented sample. `nss check` reports everything that is wrong
with a file at once: each problem with its key, its value and what would be right.

- Durations are numbers of seconds.
- Sizes are whole numbers of bytes, or text with a unit: KiB, MiB, GiB, TiB (powers of 1024), in
  which NSS shows all sizes, or KB, MB, GB, TB (powers of 1000).
- Relative paths start at the folder of the configuration file.
- A key that NSS does not know is an error.

```toml
[sources.web]
kind = "file"
path = "/var/log/nss/web.log"

[feeds.mcas]
format = "MCAS"

[feeds.mcas.sink]
kind = "syslog_udp"
destinations = ["collector.example.com:514"]
```
"""

_SOURCES = """\
At least one. Choose any name of lower-case letters, digits, `_` and `-`. No two sources may read
the same file or listen at the same address, and every source needs a feed that takes its records.
A file that NSS writes (the spool and the files beside it, the file of a sink and those it is
rotated to) must not serve any other purpose.
"""

_FEEDS = """\
At least one, named as sources are. Each feed has a sink, and a filter if not every record is to
be delivered.
"""

_FILTER = """\
All keys of a filter must match; of the values of one key, one is enough. `not_` before a key
inverts it. Without any key every record passes. A value is one TOML value or a list of them. KB,
MB and GB, as in filters of the service, mean KiB, MiB and GiB here; `nss check` warns of each.

Text is compared without regard to case, and `%HH` counts as the character that it stands for. What
a record lacks counts as its placeholder (`None`, `0`, `0.0.0.0`): `not_threats = "None"` passes
what carries a threat. Of several fields, one that is lacking counts only if the record has none of
the others; a placeholder as the record states it is lacking too, as is an address that is empty,
`NA`, `N/A` or `Unknown`.
"""


def page() -> str:
    """Return the whole reference page."""
    blocks = chain(
        [_OPENING],
        _section("[service]", ServiceConfig.__doc__, declared(ServiceConfig)),
        _section("[mcas]", McasConfig.__doc__, declared(McasConfig)),
        _section("[zia]", ZiaConfig.__doc__, declared(ZiaConfig)),
        _section("[sync]", SyncConfig.__doc__, declared(SyncConfig)),
        _section("[portal]", PortalConfig.__doc__, declared(PortalConfig)),
        _section("[updates]", UpdatesConfig.__doc__, declared(UpdatesConfig)),
        _section("[spool]", "The queue between sources and feeds.", ()),
        _kinds("spool", SPOOL_KINDS, (), f'`"{DurableSpoolConfig.kind}"`'),
        _section("[sources.NAME]", _SOURCES, ()),
        _kinds("source", SOURCE_KINDS, declared(CommonSourceConfig), "required"),
        _section("[feeds.NAME]", _FEEDS, declared(FeedConfig)),
        _filter(),
        _section("[feeds.NAME.sink]", "Where the lines of the feed go.", ()),
        _kinds("sink", SINK_KINDS, (), "required"),
    )
    return "\n".join(blocks)


def _section(heading: str, text: str | None, settings: Sequence[Declared]) -> Iterator[str]:
    yield f"## `{heading}`\n"
    yield f"{cleandoc(text or '')}\n"
    yield from _settings_table(settings)


def _kinds(
    what: str, kinds: Sequence[type], common: Sequence[Declared], default: str
) -> Iterator[str]:
    """Yield the key `kind` and what every kind has, then what each kind adds."""
    names = [str(getattr(kind, "kind", "")) for kind in kinds]
    kind_row = ("`kind`", choice_of(names), default, f"The kind of {what}.")
    yield _table([kind_row, *map(_row, common)])
    shared = {entry.key for entry in common}
    for name, kind in zip(names, kinds, strict=True):
        yield f'### `kind = "{name}"`\n'
        yield f"{cleandoc(kind.__doc__ or '')}\n"
        yield from _settings_table([entry for entry in declared(kind) if entry.key not in shared])


def _filter() -> Iterator[str]:
    yield from _section("[feeds.NAME.filter]", _FILTER, ())
    rows = [
        (
            f"`{key.name}`",
            key.kind,
            ", ".join(f"`{field}`" for field in key.fields),
            key.description + (f": {choice_of(key.choices)}" if key.choices else ""),
            f"`{key.name} = {key.example}`",
        )
        for key in FILTER_KEYS.values()
    ]
    yield _table(rows, ("Key", "Kind", "Fields", "What it checks", "Example"))
    yield "The kinds of values:\n"
    yield _table([(kind, text) for kind, text in KINDS.items()], ("Kind", "How it is written"))


def _settings_table(settings: Sequence[Declared]) -> Iterator[str]:
    if settings:
        yield _table(map(_row, settings))


def _row(entry: Declared) -> tuple[str, ...]:
    text = [entry.description, *(rule.note for rule in entry.rules)]
    if entry.role.is_secret:
        text.append("Must not be open to everyone.")
    if entry.example.text:
        text.append(f"Example: `{entry.example.text}`")
    default = "required" if entry.default is MISSING else f"`{entry.shown_default}`"
    default = entry.example.absent or default
    return (f"`{entry.key}`", entry.kind.expected, default, " ".join(text))


def _table(
    rows: Iterable[Sequence[str]], head: Sequence[str] = ("Key", "Accepts", "Default", "What it is")
) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    r"""Return text for a table: `\|` is a pipe there, also in code."""
    return text.replace("|", r"\|")


if __name__ == "__main__":
    sys.stdout.write(page())
