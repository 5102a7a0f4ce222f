"""Decoded TOML to the sections of the configuration, with every problem noted on the way."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, replace
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from formats import filters
from formats.errors import FilterError, Problem
from nss.config.model import (
    SPOOL_KINDS,
    Config,
    DurableSpoolConfig,
    FeedConfig,
    McasConfig,
    ServiceConfig,
    SpoolConfig,
)
from nss.config.rules import section_problems, table_problems, unused
from nss.config.setting import Declared, Refused, declared, key_path, one_of, suggestion
from nss.config.sinks import SINK_KINDS, SinkConfig
from nss.config.sources import SOURCE_KINDS, SourceConfig
from nss.config.values import ComponentName, FormatChoice

_SECTIONS = ("service", "mcas", "spool", "sources", "feeds")

T = TypeVar("T")


class Reading:
    """One pass over the tables; goes on after a problem, so that all are found."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.problems: list[Problem] = []

    def config(self, tables: Mapping[str, object]) -> Config | None:
        """Return the configuration, or `None` when there are problems."""
        self.unknown(tables, "", _SECTIONS)
        service = ServiceConfig(
            **self.values(ServiceConfig, self.table(tables, "", "service"), "service")
        )
        mcas_table = self.table(tables, "", "mcas")
        mcas = McasConfig(**self.values(McasConfig, mcas_table, "mcas"))
        self.problems += table_problems(McasConfig, mcas_table, "mcas")
        spool = self.spool(self.table(tables, "", "spool"))
        source_tables = self.components(tables, "sources")
        feed_tables = self.components(tables, "feeds")
        found = [self.source(name, table) for name, table in source_tables.items()]
        names = tuple(source_tables)
        wanted = [self.feed(name, table, names) for name, table in feed_tables.items()]
        sources = tuple(source for source in found if source is not None)
        feeds = tuple(feed for feed in wanted if feed is not None)
        self.problems += section_problems(service, mcas, spool, sources, feeds)
        if feeds and len(feeds) == len(feed_tables):
            self.problems += unused(names, feeds)
        if self.problems or spool is None:
            return None
        return Config(service=service, spool=spool, mcas=mcas, sources=sources, feeds=feeds)

    def tell(self, key: str, value: object, why: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(key, value, why))

    def unknown(self, table: Mapping[str, object], where: str, known: Sequence[str]) -> None:
        """Note the keys that are not known."""
        for key in table:
            if key not in known:
                why = f"unknown key; {suggestion(key, known)}"
                self.tell(key_path(where, key), table[key], why)

    def table(self, parent: Mapping[str, object], where: str, key: str) -> Mapping[str, object]:
        """Return the table at `key`, empty when it is not there or not a table."""
        value = parent.get(key, {})
        if isinstance(value, Mapping):
            return value
        path = key_path(where, key)
        self.tell(path, value, f"must be a table, [{path}]")
        return {}

    def components(
        self, tables: Mapping[str, object], section: str
    ) -> dict[str, Mapping[str, object]]:
        """Return the tables of all sources or all feeds, by name."""
        before = len(self.problems)
        named = self.table(tables, "", section)
        if not named and len(self.problems) == before:
            self.tell(section, None, f"missing; at least one is needed, like [{section}.web]")
        for name in named:
            try:
                ComponentName().read(name)
            except Refused as refused:
                self.refused(key_path(section, name), refused, keep_value=False)
        return {name: self.table(named, section, name) for name in named}

    def refused(self, key: str, refused: Refused, *, keep_value: bool = True) -> None:
        """Note the problems of a value."""
        for problem in refused.problems:
            self.tell(key + problem.key, problem.value if keep_value else None, problem.reason)

    def values(
        self,
        section: type,
        table: Mapping[str, object],
        where: str,
        *,
        beside: Sequence[str] = (),
        defaults: Mapping[str, object] | None = None,
    ) -> dict[str, Any]:
        """Return the fields that `table` gives; what can't be read is noted and left out.

        `beside` are keys that the caller reads, `defaults` fill in for fields without a key.
        """
        settings = declared(section)
        self.unknown(table, where, [*(entry.key for entry in settings), *beside])
        found = dict(defaults or {})
        for field, group in groupby(settings, lambda entry: entry.field):
            self.field(field, tuple(group), table, where, found)
        return found

    def field(
        self,
        field: str,
        settings: Sequence[Declared],
        table: Mapping[str, object],
        where: str,
        found: dict[str, Any],
    ) -> None:
        """Read one field by whichever of its keys the table has."""
        given = [entry for entry in settings if entry.key in table]
        for entry in given:
            value = table[entry.key]
            try:
                found[field] = self.anchored(entry.setting.kind.read(value))
            except Refused as refused:
                self.refused(key_path(where, entry.key), refused)
        if len(given) > 1:
            keys = " and ".join(entry.key for entry in given)
            self.tell(key_path(where, given[-1].key), None, f"{keys} exclude each other; keep one")
        first = settings[0]
        if not given and first.default is MISSING and field not in found:
            others = "".join(f", or {entry.key}" for entry in settings[1:])
            why = f"missing; for example {first.key} = {first.setting.example}{others}"
            self.tell(key_path(where, first.key), None, why)

    def anchored(self, value: object) -> object:
        """Return a relative path as one that starts at the configuration file's folder."""
        match value:
            case Path():
                return self.base / value
            case FormatChoice(kind="file"):
                return replace(value, value=str(self.base / value.value))
            case _:
                return value

    def kind(
        self,
        kinds: Sequence[type[T]],
        table: Mapping[str, object],
        where: str,
        default: type[T] | None = None,
    ) -> type[T] | None:
        """Return the member of a closed set that the key `kind` names."""
        by_name = {str(getattr(kind, "kind", "")): kind for kind in kinds}
        words = one_of(tuple(by_name))
        key = key_path(where, "kind")
        if "kind" not in table:
            if default is None:
                self.tell(key, None, f"missing; must be {words}")
            return default
        value = table["kind"]
        if isinstance(value, str) and value in by_name:
            return by_name[value]
        self.tell(key, value, f"must be {words}")
        return None

    def spool(self, table: Mapping[str, object]) -> SpoolConfig | None:
        """Return the spool, or `None` when its table has a problem."""
        before = len(self.problems)
        kind = self.kind(SPOOL_KINDS, table, "spool", DurableSpoolConfig)
        if kind is None:
            return None
        values = self.values(kind, table, "spool", beside=("kind",))
        return kind(**values) if len(self.problems) == before else None

    def source(self, name: str, table: Mapping[str, object]) -> SourceConfig | None:
        """Return a source, or `None` when its table has a problem."""
        before = len(self.problems)
        where = key_path("sources", name)
        kind = self.kind(SOURCE_KINDS, table, where)
        if kind is None:
            return None
        values = self.values(kind, table, where, beside=("kind",))
        self.problems += table_problems(kind, table, where)
        return kind(name=name, **values) if len(self.problems) == before else None

    def feed(
        self, name: str, table: Mapping[str, object], sources: tuple[str, ...]
    ) -> FeedConfig | None:
        """Return a feed, or `None` when its table has a problem; `sources` are all there are."""
        before = len(self.problems)
        where = key_path("feeds", name)
        values = self.values(
            FeedConfig, table, where, beside=("filter", "sink"), defaults={"sources": sources}
        )
        for at, source in enumerate(values["sources"]):
            if sources and source not in sources:
                why = f"there is no such source; {suggestion(source, sources)}"
                self.tell(f"{where}.sources[{at}]", source, why)
        keep = self.filter(self.table(table, where, "filter"), f"{where}.filter")
        sink = self.sink(table, where)
        if len(self.problems) > before or keep is None or sink is None:
            return None
        return FeedConfig(name=name, filter=keep, sink=sink, **values)

    def filter(self, table: Mapping[str, object], where: str) -> filters.Filter | None:
        """Return the filter of a feed, or `None` when its table has a problem."""
        try:
            return filters.parse(table)
        except FilterError as error:
            for problem in error.problems:
                self.tell(key_path(where, problem.key), problem.value, problem.reason)
            return None

    def sink(self, feed: Mapping[str, object], where: str) -> SinkConfig | None:
        """Return the sink of a feed, or `None` when its table has a problem."""
        before = len(self.problems)
        if "sink" not in feed:
            self.tell(f"{where}.sink", None, f"missing; must be a table, [{where}.sink]")
            return None
        table = self.table(feed, where, "sink")
        if len(self.problems) > before:
            return None
        kind = self.kind(SINK_KINDS, table, f"{where}.sink")
        if kind is None:
            return None
        values = self.values(kind, table, f"{where}.sink", beside=("kind",))
        self.problems += table_problems(kind, table, f"{where}.sink")
        return kind(**values) if len(self.problems) == before else None
