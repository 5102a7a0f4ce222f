"""The reference page and the sample file say what the declarations say."""

import re
import tomllib
from dataclasses import MISSING
from pathlib import Path
from typing import Any

import pytest

from nss.config import reference
from nss.config.load import load, validate
from nss.config.model import SPOOL_KINDS, FeedConfig, McasConfig, MemorySpoolConfig, ServiceConfig
from nss.config.portal import PortalConfig
from nss.config.setting import Declared, declared
from nss.config.sinks import SINK_KINDS, SyslogUdpSinkConfig
from nss.config.sources import SOURCE_KINDS, CommonSourceConfig, FileSourceConfig
from nss.config.sync import SyncConfig

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "packaging" / "nss.toml"
PAGE = ROOT / "docs" / "configuration.md"

SECTIONS: tuple[type, ...] = (
    ServiceConfig,
    McasConfig,
    PortalConfig,
    *SPOOL_KINDS,
    *SOURCE_KINDS,
    FeedConfig,
    *SINK_KINDS,
)
SETTINGS = [
    pytest.param(entry, id=f"{section.__name__}.{entry.key}")
    for section in SECTIONS
    for entry in declared(section)
]


def toml_value(text: str) -> object:
    return tomllib.loads(f"value = {text}")["value"]


@pytest.mark.parametrize("entry", SETTINGS)
def test_a_default_is_a_value_that_its_setting_accepts(entry: Declared) -> None:
    if entry.default is MISSING or entry.default is None:
        assert entry.example.text or entry.example.absent
    else:
        assert entry.kind.read(toml_value(entry.shown_default)) == entry.default


@pytest.mark.parametrize("entry", [entry for entry in SETTINGS if entry.values[0].example.text])  # type: ignore[union-attr]
def test_an_example_is_a_value_that_its_setting_accepts(entry: Declared) -> None:
    entry.kind.read(toml_value(entry.example.text))


@pytest.mark.parametrize("entry", SETTINGS)
def test_a_description_is_one_or_more_sentences(entry: Declared) -> None:
    assert re.fullmatch(r"(?s)[A-Z<].*\.", entry.description)


def test_the_reference_page_is_what_the_declarations_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.page(), (
        "run: .venv/bin/python -m nss.config.reference > docs/configuration.md"
    )


def test_the_page_has_no_code_by_accident() -> None:
    assert not re.search(r"(?m)^    ", reference.page())


def test_the_first_example_of_the_reference_page_is_valid(tmp_path: Path) -> None:
    found = re.search(r"```toml\n(.*?)```", reference.page(), re.DOTALL)
    assert found is not None
    file = tmp_path / "nss.toml"
    file.write_text(found[1])
    assert [feed.name for feed in load(file).feeds] == ["mcas"]


def uncommented() -> dict[str, Any]:
    """The sample with the # taken from every line that starts with # and no blank."""
    text = SAMPLE.read_text(encoding="utf-8")
    return tomllib.loads(re.sub(r"(?m)^#(?=\S)", "", text))


def sample_sections() -> list[tuple[type, dict[str, Any]]]:
    """Each table of the uncommented sample with the section that declares its keys."""
    tables = uncommented()
    sources = {str(kind.kind): kind for kind in SOURCE_KINDS}
    sinks = {str(kind.kind): kind for kind in SINK_KINDS}
    spools = {str(kind.kind): kind for kind in SPOOL_KINDS}
    found: list[tuple[type, dict[str, Any]]] = [
        (ServiceConfig, tables["service"]),
        (McasConfig, tables["mcas"]),
        (SyncConfig, tables["sync"]),
        (PortalConfig, tables["portal"]),
        (spools[tables["spool"]["kind"]], tables["spool"]),
    ]
    found += [(sources[table["kind"]], table) for table in tables["sources"].values()]
    for feed in tables["feeds"].values():
        found += [(FeedConfig, feed), (sinks[feed["sink"]["kind"]], feed["sink"])]
    return found


def test_the_sample_is_valid() -> None:
    config = load(SAMPLE)
    assert [source.name for source in config.sources] == ["web"]
    assert [feed.name for feed in config.feeds] == ["mcas"]


def test_the_sample_is_valid_with_everything_uncommented() -> None:
    tables = uncommented()
    for table in (*tables["sources"].values(), *tables["feeds"].values()):
        table.pop("format_string", None)
    del tables["sources"]["push"]["basic_file"]
    del tables["sync"]["synced_by"], tables["mcas"]["uploaded_by"]
    tables["feeds"]["siem"]["sink"]["tls"] = True
    for kafka in (tables["sources"]["kafka"], tables["feeds"]["centre"]["sink"]):
        kafka |= {"tls": True, "sasl": "oauthbearer"}
    config = validate(tables, Path("/etc/nss"))
    assert [source.name for source in config.sources] == ["web", "relay", "push", "pipe", "kafka"]
    assert [feed.name for feed in config.feeds] == ["mcas", "siem", "archive", "upload", "centre"]


def test_the_sample_shows_every_key_and_those_of_all_sources_once() -> None:
    common = {entry.key for entry in declared(CommonSourceConfig)}
    shown = {(section, key) for section, table in sample_sections() for key in table}
    assert shown >= {
        (section, entry.key)
        for section in SECTIONS
        if section is not MemorySpoolConfig  # a file has one spool
        for entry in declared(section)
        if entry.key not in common or section in {FileSourceConfig, FeedConfig}
    }


def test_every_commented_line_of_the_sample_is_the_default_or_the_example() -> None:
    active = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    set_for_good = {
        (FeedConfig, "format"),
        *((FileSourceConfig, key) for key in active["sources"]["web"]),
        *((SyslogUdpSinkConfig, key) for key in active["feeds"]["mcas"]["sink"]),
    }
    wrong = []
    for section, table in sample_sections():
        for entry in declared(section):
            if entry.key not in table or (section, entry.key) in set_for_good:
                continue
            kind = entry.kind
            right = (
                kind.read(toml_value(entry.example.text))
                if entry.default is MISSING or entry.default is None
                else entry.default
            )
            if kind.read(table[entry.key]) != right:
                wrong.append((section.__name__, entry.key, table[entry.key]))
    assert wrong == []
