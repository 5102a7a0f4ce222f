"""Whatever a file holds, reading it gives a configuration or `ConfigProblems`, nothing else."""

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from formats.filters.keys import FILTER_KEYS
from nss.config.load import ConfigProblems, parse, validate
from nss.config.model import SPOOL_KINDS, Config, FeedConfig, ServiceConfig
from nss.config.setting import declared
from nss.config.sinks import SINK_KINDS
from nss.config.sources import SOURCE_KINDS

BASE = Path("/etc/nss")

SCALARS = (
    st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        [
            *("file", "stdin", "tcp", "http", "syslog_udp", "syslog_tcp", "memory", "durable"),
            *("auto", "json", "MCAS", "x.fof", "-", "off", "localhost:1", "[::]:1", "/x", "/x.1"),
            *("web", "GMT", "1MiB", ":1", "127.0.0.1:2", "[::1]", "%s{url}", "%d{", "10KB-", "*a*"),
            *(date(2026, 1, 2), time(1, 2), datetime(2026, 1, 2, tzinfo=UTC), 1 << 70, 2, 100),
        ]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


Objects = st.SearchStrategy[Any]


def tables(*sections: type, beside: dict[str, Objects] | None = None) -> Objects:
    """Tables with the keys of the sections, some present, mostly with values for no key at all."""
    keys = {entry.key: VALUES for section in sections for entry in declared(section)}
    known: Objects = st.fixed_dictionaries({}, optional={**keys, **(beside or {})})
    return known | st.builds(lambda one, more: {**more, **one}, known, ANY_TABLE) | VALUES


ANY_TABLE = st.dictionaries(st.text(max_size=8), VALUES, max_size=2)
NAMES = st.sampled_from(["web", "other", "a-1"]) | st.text(max_size=6)
WORDS = ["file", "stdin", "tcp", "http", "syslog_udp", "syslog_tcp"]
KIND = {"kind": st.sampled_from(WORDS) | VALUES}
SINKS = tables(*SINK_KINDS, beside=KIND)
FILTERS = st.dictionaries(st.sampled_from(sorted(FILTER_KEYS)), VALUES, max_size=3) | VALUES
SOURCES = tables(*SOURCE_KINDS, beside=KIND)
FEEDS = tables(FeedConfig, beside={"sink": SINKS, "filter": FILTERS})
FILES = st.fixed_dictionaries(
    {},
    optional={
        "service": tables(ServiceConfig),
        "spool": tables(*SPOOL_KINDS, beside={"kind": VALUES}),
        "sources": st.dictionaries(NAMES, SOURCES, max_size=3) | VALUES,
        "feeds": st.dictionaries(NAMES, FEEDS, max_size=3) | VALUES,
    },
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(FILES)
@example({"sources": {"a": {"b": 1 << 5000}}})
@example({"sources": {"web": {"kind": "stdin"}}, "feeds": {"a": {"filter": {"users": [[[]]]}}}})
def test_any_tables_give_a_configuration_or_its_problems(file: dict[str, Any]) -> None:
    try:
        outcome: Config | ConfigProblems = validate(file, BASE)
    except ConfigProblems as problems:
        outcome = problems
    if isinstance(outcome, ConfigProblems):
        assert outcome.problems
        assert str(outcome).count("\n") >= len(outcome.problems) + 1
        assert str(outcome).replace("\n", "").isprintable()
    else:
        assert outcome == validate(file, BASE)


@settings(deadline=None, max_examples=150)
@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            ["[", "]", "a", ".", "=", "'", '"', "\n", "1", "{", "}", ",", "#", "\\u00"]
        ),
        max_size=40,
    ).map("".join)
)
@example("\ud800")
def test_any_text_gives_problems(text: str) -> None:
    try:
        parse(text, BASE)
    except ConfigProblems as problems:
        shown = problems.problems
    else:
        shown = ()
    assert shown
