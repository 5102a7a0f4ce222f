"""Texts as TOML has them: whatever they hold, a reader of TOML finds the same."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import presets
from formats.language import faults, parse
from nss.config import load
from nss.config.toml import literal_text

TEXTS = st.text(max_size=80) | st.text("'\"\\\n\r\t\x00\x1b\x7f\x85\u2028\u202ea%{}", max_size=30)
SOUND = st.lists(
    st.sampled_from(
        ("%s{login}", "%02d{hh}", r"\t", r"\\", r"\{", "'''", '"""', *"\t\n'\"é\u202e #=")
    ),
    min_size=1,
    max_size=20,
)


@given(TEXTS)
def test_any_text_is_read_back_as_it_was(text: str) -> None:
    written = f"key = {literal_text(text)}\nnext = 1\n"

    assert tomllib.loads(written) == {"key": text, "next": 1}
    assert all(letter.isprintable() or letter in "\t\n" for letter in written)


@given(SOUND)
def test_any_format_string_is_read_back_by_the_configuration(pieces: list[str]) -> None:
    text = "".join(pieces) + "%s{url}"
    if faults(text):
        return
    config = load.parse(
        '[sources.web]\nkind = "stdin"\n'
        f"[feeds.web]\nformat_string = {literal_text(text)}\n"
        'sink = {kind = "file", path = "-"}\n',
        Path("/etc/nss"),
    )

    assert config.feeds[0].format.value == text
    assert parse(config.feeds[0].format.value) == parse(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (r"%s{login}\t'%s{url}' now", r"'''%s{login}\t'%s{url}' now'''"),
        ("two\n lines", "'''two\n lines'''"),
        ("\nfirst", "'''\n\nfirst'''"),
        ("", "''''''"),
        ("a'", '"a\'"'),
        ("a'''b\\t", "\"a'''b\\\\t\""),
        ("a\rb", '"a\\rb"'),
        ("\u202ea", '"\\u202ea"'),
    ],
)
def test_a_text_stands_as_it_is_where_that_can_be_seen(text: str, written: str) -> None:
    assert literal_text(text) == written


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_needs_no_escapes(name: str) -> None:
    assert literal_text(presets.text(name)) == f"'''{presets.text(name)}'''"
