"""Decoded TOML to the sections of the configuration, with every problem noted on the way."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, replace
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from formats import filters
from formats.errors import FilterError, Problem
from nss.config.kinds import InvalidValue, suggestion
from nss.config.model import (
    SPOOL_KINDS,
    Config,
    DurableSpoolConfig,
    FeedConfig,
    McasConfig,
    ServiceConfig,
    ZiaConfig,
)
from nss.config.portal import PortalConfig
from nss.config.rules import section_problems, unused, uploading
from nss.config.setting import Declared, declared
from nss.config.sinks import SINK_KINDS
from nss.config.sources import SOURCE_KINDS, SourceConfig
from nss.config.sync import SyncConfig
from nss.config.toml import choice_of, key_path
from nss.config.updates import UpdatesConfig
from nss.config.values import FormatChoice, component_name

_SECTIONS = ("service", "mcas", "zia", "sync", "portal", "updates", "spool", "sources", "feeds")

T = TypeVar("T")


class Reading:
    """One pass over the tables; continues after a problem, so that all are found."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.problems: list[Problem] = []
        self._sections: list[tuple[str, object]] = []

    def config(self, tables: Mapping[str, object]) -> Config | None:
        """Return the configuration, or `None` when there are problems."""
        self._unknown(tables, "", _SECTIONS)
        service = self.section(ServiceConfig, tables, "service")
        spool_table = self._table(tables, "", "spool")
        spool = self._of_kind(SPOOL_KINDS, spool_table, "spool", DurableSpoolConfig.kind)
        mcas = self.section(McasConfig, tables, "mcas")
        zia = self.section(ZiaConfig, tables, "zia")
        sync = self.section(SyncConfig, tables, "sync")
        portal = self.section(PortalConfig, tables, "portal")
        updates = self.section(UpdatesConfig, tables, "updates")
        source_tables = self._components(tables, "sources")
        feed_tables = self._components(tables, "feeds")
        names = tuple(source_tables)
        found: list[SourceConfig | None] = [
            self._of_kind(SOURCE_KINDS, table, key_path("sources", name), name=name)
            for name, table in source_tables.items()
        ]
        wanted = [self._feed(name, table, names) for name, table in feed_tables.items()]
        sources = tuple(source for source in found if source is not None)
        feeds = tuple(feed for feed in wanted if feed is not None)
        self.problems += section_problems(self._sections, spool)
        self.problems += uploading(mcas, feeds)
        if feeds and len(feeds) == len(feed_tables):
            self.problems += unused(names, feeds)
        if self.problems or spool is None:
            return None
        return Config(
            service=service,
            spool=spool,
            mcas=mcas,
            zia=zia,
            sync=sync,
            portal=portal,
            updates=updates,
            sources=sources,
            feeds=feeds,
        )

    def section(self, section: type[T], tables: Mapping[str, object], key: str) -> T:
        """Return a section that needs no key, with the defaults for what is wrong."""
        found = section(**self._values(section, self._table(tables, "", key), key))
        self._sections.append((key, found))
        return found

    def _unknown(self, table: Mapping[str, object], where: str, known: Sequence[str]) -> None:
        """Note the keys that are not known."""
        for key in table:
            if key not in known:
                reason = f"unknown key; {suggestion(key, known)}"
                self._note(key_path(where, key), table[key], reason)

    def _table(self, parent: Mapping[str, object], where: str, key: str) -> Mapping[str, object]:
        """Return the table at `key`, empty when it is not there or not a table."""
        value = parent.get(key, {})
        if isinstance(value, Mapping):
            return value
        path = key_path(where, key)
        self._note(path, value, f"must be a table, [{path}]")
        return {}

    def _values(
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
        self._unknown(table, where, [*(entry.key for entry in settings), *beside])
        found = dict(defaults or {})
        for field, group in groupby(settings, lambda entry: entry.field):
            self._field(field, tuple(group), table, where, found)
        for entry in settings:
            for rule in entry.broken_rules(table):
                shown = table[entry.key] if rule.shows_value else None
                self._note(f"{where}.{entry.key}", shown, rule.reason.format(key=entry.key))
        return found

    def _note(self, key: str, value: object, reason: str) -> None:
        self.problems.append(Problem(key, value, reason))

    def _field(
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
            try:
                found[field] = self._anchored(entry.kind.read(table[entry.key]))
            except InvalidValue as error:
                for problem in error.problems:
                    key = key_path(where, entry.key) + problem.key
                    self.problems.append(replace(problem, key=key))
        if len(given) > 1:
            keys = " and ".join(entry.key for entry in given)
            reason = f"{keys} exclude each other; keep one"
            self._note(key_path(where, given[-1].key), None, reason)
        first = settings[0]
        if not given and first.default is MISSING and field not in found:
            others = "".join(f", or {entry.key}" for entry in settings[1:])
            reason = f"missing; for example {first.key} = {first.example.text}{others}"
            self._note(key_path(where, first.key), None, reason)

    def _anchored(self, value: object) -> object:
        """Return a relative path as one that starts at the configuration file's folder."""
        match value:
            case Path():
                return self.base / value
            case FormatChoice(kind="file"):
                return replace(value, value=str(self.base / value.value))
            case _:
                return value

    def _of_kind(
        self,
        kinds: Sequence[type[T]],
        table: Mapping[str, object],
        where: str,
        default: str | None = None,
        **named: str,
    ) -> T | None:
        """Return the section whose kind the table names, or `None` when it has a problem."""
        before = len(self.problems)
        kind = self._kind(kinds, table, key_path(where, "kind"), default)
        if kind is None:
            return None
        values = self._values(kind, table, where, beside=("kind",))
        if len(self.problems) > before:
            return None
        found = kind(**named, **values)
        self._sections.append((where, found))
        return found

    def _kind(
        self, kinds: Sequence[type[T]], table: Mapping[str, object], key: str, default: str | None
    ) -> type[T] | None:
        """Return the member of a closed set that the key `kind` names."""
        by_name = {str(getattr(kind, "kind", "")): kind for kind in kinds}
        value = table.get("kind", default)
        if isinstance(value, str) and value in by_name:
            return by_name[value]
        missing = "" if "kind" in table else "missing; "
        self._note(key, value, f"{missing}must be {choice_of(tuple(by_name))}")
        return None

    def _components(
        self, tables: Mapping[str, object], section: str
    ) -> dict[str, Mapping[str, object]]:
        """Return the tables of all sources or all feeds, by name."""
        before = len(self.problems)
        named = self._table(tables, "", section)
        if not named and len(self.problems) == before:
            self._note(section, None, f"missing; at least one is needed, like [{section}.web]")
        kind = component_name()
        for name in named:
            try:
                kind.read(name)
            except InvalidValue as error:
                self._note(key_path(section, name), None, error.problems[0].reason)
        return {name: self._table(named, section, name) for name in named}

    def _feed(
        self, name: str, table: Mapping[str, object], sources: tuple[str, ...]
    ) -> FeedConfig | None:
        """Return a feed, or `None` when its table has a problem; `sources` are all there are."""
        before = len(self.problems)
        where = key_path("feeds", name)
        values = self._values(
            FeedConfig, table, where, beside=("filter", "sink"), defaults={"sources": sources}
        )
        for at, source in enumerate(values["sources"]):
            if sources and source not in sources:
                reason = f"there is no such source; {suggestion(source, sources)}"
                self._note(f"{where}.sources[{at}]", source, reason)
        keep = self._filter(self._table(table, where, "filter"), f"{where}.filter")
        sink = None
        if "sink" not in table:
            self._note(f"{where}.sink", None, f"missing; must be a table, [{where}.sink]")
        elif (sink_table := self._table(table, where, "sink")) is table["sink"]:
            sink = self._of_kind(SINK_KINDS, sink_table, f"{where}.sink")
        if len(self.problems) > before or keep is None or sink is None:
            return None
        feed = FeedConfig(name=name, filter=keep, sink=sink, **values)
        self._sections.append((where, feed))
        return feed

    def _filter(self, table: Mapping[str, object], where: str) -> filters.Filter | None:
        """Return the filter of a feed, or `None` when its table has a problem."""
        try:
            return filters.parse(table)
        except FilterError as error:
            for problem in error.problems:
                self._note(key_path(where, problem.key), problem.value, problem.reason)
            return None
