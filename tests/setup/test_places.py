"""Where in a text a key is written."""

import tomllib
from pathlib import Path

import pytest

from nss.config.load import parse
from nss.setup.places import Places

TEXT = '''\
# [feeds.comment]
[service]
log_level = "info" # [sources.x]
state_directory = """
[feeds.inside]
key = "x"
"""

[sources.web]
kind = "tcp"
listen.host = 'a "b" = c'

[feeds."a.b"]
format = "MCAS"
sources = [
    "web", # first
    "dns",
    ["deep",
     "deeper"],
]
sink = { kind = "file", path = "x", nested = { y = 1 } }
  [ feeds . mcas ]
  'quoted key' = 1979-05-27T07:32:00Z
[[lists]]
x = 1
[[lists]]
y = -1.5e3
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("service", 2),
        ("service.log_level", 3),
        ("service.state_directory", 4),
        ("service.missing", 2),
        ("sources", 9),
        ("sources.web", 9),
        ("sources.web.listen.host", 11),
        ("sources.web.listen", 11),
        ("sources.other.kind", 9),
        ('feeds."a.b"', 13),
        ('feeds."a.b".format', 14),
        ('feeds."a.b".sources', 15),
        ('feeds."a.b".sources[0]', 16),
        ('feeds."a.b".sources[1]', 17),
        ('feeds."a.b".sources[2][1]', 19),
        ('feeds."a.b".sources[9]', 15),
        ('feeds."a.b".sink.path', 21),
        ('feeds."a.b".sink.nested.y', 21),
        ('feeds.mcas."quoted key"', 23),
        ("lists.x", 25),
        ("lists.y", 27),
        ("nowhere", None),
        ("", None),
    ],
)
def test_a_key_is_found_or_the_table_that_it_would_be_in(key: str, line: int | None) -> None:
    assert tomllib.loads(TEXT)
    assert Places(TEXT).line(key) == line


def test_what_is_inside_of_texts_and_comments_is_no_key() -> None:
    places = Places(TEXT)
    assert not places.is_written("feeds.comment")
    assert not places.is_written("feeds.inside")
    assert not places.is_written("service.key")
    assert not places.is_written("service.missing")
    assert places.is_written("service.log_level")


def test_each_setting_of_the_sample_is_on_the_line_that_it_is_on() -> None:
    text = Path("packaging/nss.toml").read_text()
    places, lines = Places(text), text.split("\n")
    found = 0
    for held in parse(text, Path("/etc/nss")).settings():
        if places.is_written(held.key):
            line = places.line(held.key)
            assert line is not None
            assert lines[line - 1].startswith(held.entry.key)
            found += 1
    assert found >= 3


@pytest.mark.parametrize("text", ["", "\n", "# only", "a = 1", 'a = "x"', "[a]", "a = []", "a={}"])
def test_small_texts(text: str) -> None:
    assert Places(text).line("a") in {1, None}
