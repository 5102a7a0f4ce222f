"""What each kind of setting takes, and what it answers to anything else."""

from datetime import date
from pathlib import Path

import pytest

from formats import presets
from formats.errors import Problem
from nss.config.kinds import Choice, FilePath, Flag, ListOf, OutputPath, Seconds, Size, Whole
from nss.config.setting import Kind, Refused, toml_text
from nss.config.values import (
    Address,
    ComponentName,
    Destination,
    EscapeCharacters,
    FormatChoice,
    FormatName,
    FormatText,
    HeaderText,
    HostName,
    LineText,
    ListenAddress,
    ProxyUrl,
    UrlPath,
    Zone,
)
from nss.wording import nearest

ARABIC_FIVE = "\N{ARABIC-INDIC DIGIT FIVE}"
BYTES = Size(480, 64 << 30)
NO_VALID_HOST = f"has no valid host; must be {Destination.takes}"


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (Flag(), True, True),
        (Choice("text", "json"), "json", "json"),
        (Whole(0, 191), 0, 0),
        (Whole(0, 191), 191, 191),
        (Seconds(0, 3600), 0, 0.0),
        (Seconds(0, 3600), 3600.0, 3600.0),
        (BYTES, 480, 480),
        (BYTES, "480", 480),
        (BYTES, "2KB", 2000),
        (BYTES, "2 KiB", 2048),
        (BYTES, "3MB", 3_000_000),
        (BYTES, "3MiB", 3_145_728),
        (BYTES, "1GB", 1_000_000_000),
        (BYTES, "64GiB", 64 << 30),
        (Size(0, 2 << 40), "2TiB", 2 << 40),
        (Size(0, 2 << 40), "2 TB", 2_000_000_000_000),
        (FilePath(), "a/b", Path("a/b")),
        (FilePath(), "off", Path("off")),
        (FilePath(off=True), "off", None),
        (FilePath(off=True), "./off", Path("./off")),
        (OutputPath(), "-", None),
        (OutputPath(), "./-", Path("./-")),
        (ListOf(Whole(1, 9)), [1, 2], (1, 2)),
        (ComponentName(), "web_1-a", "web_1-a"),
        (ListenAddress(), ":5514", Address("", 5514)),
        (ListenAddress(), "127.0.0.1:0", Address("127.0.0.1", 0)),
        (ListenAddress(), "[::1]:65535", Address("::1", 65535)),
        (ListenAddress(), "localhost:1", Address("localhost", 1)),
        (ListenAddress(off=True), "off", None),
        (ListenAddress(off=True), "off:1", Address("off", 1)),
        (HostName(), "collector.example.com", "collector.example.com"),
        (HostName(), "192.0.2.1", "192.0.2.1"),
        (HostName(), "2001:db8::1", "2001:db8::1"),
        (UrlPath(), "/", "/"),
        (UrlPath(), "/nss/web-1.0/", "/nss/web-1.0/"),
        (Destination(), "collector.example.com.", Address("collector.example.com.", 514)),
        (Destination(), "my_host:1514", Address("my_host", 1514)),
        (Destination(), "192.0.2.1", Address("192.0.2.1", 514)),
        (Destination(), "[fe80::1%eth0]:514", Address("fe80::1%eth0", 514)),
        (Zone(), "Europe/Berlin", "Europe/Berlin"),
        (Zone(), "GMT+2", "GMT+2"),
        (FormatName(), "MCAS", FormatChoice("preset", "MCAS")),
        (FormatName(), "own.fof", FormatChoice("file", "own.fof")),
        (FormatName(), "./own", FormatChoice("file", "./own")),
        (FormatName(for_source=True), "auto", FormatChoice("auto")),
        (FormatName(for_source=True), "json", FormatChoice("json")),
        (FormatName(for_source=True), "JSON", FormatChoice("preset", "JSON")),
        (FormatText(), "%s{url}%s{ua}", FormatChoice("string", "%s{url}%s{ua}")),
        (EscapeCharacters(), ',"\\|G~!', ',"\\|G~!'),
        (HeaderText(3), "n-1", "n-1"),
    ],
)
def test_a_right_value_is_read(kind: Kind, value: object, read: object) -> None:
    assert kind.read(value) == read


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Flag(), [1, 0, "true", None, []]),
        (Choice("text", "json"), ["TEXT", "", 1, True, ["text"], {"text": 1}]),
        (Whole(1, 64, "ports"), [0, 65, -1, True, 1.0, "1", date(2026, 1, 2), 1 << 62]),
        (Seconds(0, 3600), [-0.1, 3600.1, float("nan"), float("inf"), True, "10s", 1 << 2000]),
        (BYTES, [479, (64 << 30) + 1, 480.0, True, "", "KB", "1kb", "1M", "1TB", "-1KB", "1.5MB"]),
        (BYTES, ["9" * 5000, "9" * 15 + "GiB", ARABIC_FIVE * 3, " 1MB", "1  MB", [480]]),
        (FilePath(), ["", "a\0b", "a\nb", 1, True, ["a"]]),
        (ListOf(Whole(1, 9)), [[], 1, "12", {}]),
        (ComponentName(), ["", "Web", "a b", "a.b", "ä", "a" * 65, 1, "a\n"]),
        (EscapeCharacters(), [1, ["a"]]),
        (HeaderText(3), ["", "abcd", "a b", "ä", "a\n", 1]),
        (FilePath(off=True), ["", False, None]),
        (ListenAddress(), [5514, ["127.0.0.1:1"]]),
        (ListenAddress(off=True), [False, 0]),
        (HostName(), [1, ["a"]]),
        (UrlPath(), ["", "nss", "/a b", "/a?b", "/%41", "/\n", "/" + "x" * 256, 1]),
        (Destination(), [514, {}]),
        (Zone(), [2, ["GMT"], "", "Mars", "../zone", "GMT+24", "a\0b"]),
        (FormatName(), [1, "a\0.fof", ["MCAS"]]),
        (FormatText(), [1, ["x"]]),
    ],
)
def test_a_wrong_value_is_refused_with_what_would_be_right(
    kind: Kind, values: list[object]
) -> None:
    for value in values:
        with pytest.raises(Refused) as caught:
            kind.read(value)
        assert caught.value.problems == (Problem("", value, f"must be {kind.takes}"),)
        assert caught.value.problems[0].value is value


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        (ListenAddress(), "127.0.0.1", f"has no port; must be {ListenAddress().takes}"),
        (ListenAddress(), "[]:1", "between the brackets must be an IPv6 address"),
        (ListenAddress(), ":65536", "the port must be from 0 to 65535"),
        (ListenAddress(), ":", "the port must be from 0 to 65535"),
        (Destination(), "host:0", "the port must be from 1 to 65535"),
        (Destination(), "host:+1", "the port must be from 1 to 65535"),
        (Destination(), f"host:{ARABIC_FIVE}", "the port must be from 1 to 65535"),
        (Destination(), "2001:db8::1", "an IPv6 address needs brackets, like [2001:db8::1]:514"),
        (Destination(), "[192.0.2.1]:1", "between the brackets must be an IPv6 address"),
        (Destination(), "192.0.2.256", "the host is neither a name nor an IPv4 address"),
        (Destination(), "1.2.3", "the host is neither a name nor an IPv4 address"),
        (Destination(), "", NO_VALID_HOST),
        (Destination(), ":514", NO_VALID_HOST),
        (Destination(), "a..b", NO_VALID_HOST),
        (Destination(), "-a", NO_VALID_HOST),
        (Destination(), "a b", NO_VALID_HOST),
        (Destination(), "bücher.example", NO_VALID_HOST),
        (Destination(), "[::1", "an IPv6 address needs brackets, like [2001:db8::1]:514"),
        (ListenAddress(), "off", f"has no port; must be {ListenAddress().takes}"),
        (HostName(), "a:1", f"must be {HostName.takes}"),
        (HostName(), "[::1]", f"must be {HostName.takes}"),
        (HostName(), "192.0.2.256", "the host is neither a name nor an IPv4 address"),
        (HostName(), "", f"has no valid host; must be {HostName.takes}"),
        (HostName(), "a b", f"has no valid host; must be {HostName.takes}"),
        (OutputPath(), "", f"must be {FilePath().takes}"),
        (Destination(), ".".join(["a" * 63] * 4), NO_VALID_HOST),
        (FormatName(), "auto", f"there is no such preset; known are {', '.join(presets.names())}"),
        (FormatName(), "qradar", "there is no such preset; the nearest is QRADAR"),
        (FormatText(), "plain", "prints no field"),
        (
            FormatText(),
            "%s{url",
            "unclosed brace (column 1)\n  %s{url\n  ^\nTry: end the field with }",
        ),
        (
            FormatText(for_source=True),
            "%s{url}%s{ua}",
            "can't be read back: feed format custom: its fields can't be told apart in a line",
        ),
        (
            EscapeCharacters(),
            "a, %é",
            f'must be {EscapeCharacters.takes}; wrong here: "a" " " "%" "é"',
        ),
    ],
)
def test_a_near_miss_is_explained(kind: Kind, value: str, why: str) -> None:
    with pytest.raises(Refused) as caught:
        kind.read(value)
    assert caught.value.problems == (Problem("", value, why),)


def test_a_list_tells_each_wrong_entry_and_each_repetition() -> None:
    with pytest.raises(Refused) as caught:
        ListOf(Destination()).read(["a", 1, "a:514", "b:x"])
    assert caught.value.problems == (
        Problem("[1]", 1, f"must be {Destination.takes}"),
        Problem("[2]", "a:514", "is in the list before"),
        Problem("[3]", "b:x", "the port must be from 1 to 65535"),
    )


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        (Size(0, 1), 8192, "8192"),
        (Size(0, 1), 3 << 20, '"3MiB"'),
        (Size(0, 1), 2 << 30, '"2GiB"'),
        (Size(0, 1), 2 << 40, '"2TiB"'),
        (FilePath(off=True), None, '"off"'),
        (FilePath(off=True), Path("/run/a"), '"/run/a"'),
        (ListenAddress(off=True), None, '"off"'),
        (ListOf(Destination()), (Address("a", 1), Address("::1", 2)), '["a:1", "[::1]:2"]'),
        (FormatName(), FormatChoice("file", "a.fof"), '"a.fof"'),
        (FormatName(), FormatChoice("auto"), '"auto"'),
        (ListenAddress(), Address("", 5514), '":5514"'),
        (Flag(), False, "false"),
    ],
)
def test_a_value_is_shown_as_it_is_written(kind: Kind, value: object, written: str) -> None:
    assert kind.show(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ('a"\\\n\x1b\x7f\x9bé', '"a\\"\\\\\\n\\u001b\\u007f\\u009bé"'),
        ("\u202e\U000e0001", '"\\u202e\\U000e0001"'),
        ([1, "a", [2], {"b": 3}], '[1, "a", [...], {...}]'),
        (1.5, "1.5"),
        (date(2026, 1, 2), "2026-01-02"),
    ],
)
def test_a_value_in_a_message_is_toml_without_control_characters(
    value: object, written: str
) -> None:
    assert toml_text(value) == written


def test_the_nearest_word_is_found_whatever_its_case() -> None:
    assert nearest("mcas", ["CSV", "MCAS"]) == "MCAS"
    assert nearest("zzz", ["CSV", "MCAS"]) is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("http://proxy.example.com:3128", "http://proxy.example.com:3128"),
        ("http://PROXY:80/", "http://proxy:80"),
        ("http://[2001:db8::1]:3128", "http://[2001:db8::1]:3128"),
    ],
)
def test_a_proxy_is_a_host_and_a_port(value: str, found: str) -> None:
    assert ProxyUrl().read(value) == found


@pytest.mark.parametrize(
    "value",
    [
        *("proxy:3128", "http://proxy", "https://proxy:1", "http://proxy:x", "http://:3128", 5),
        *("http://proxy:3128/path", "http://proxy:3128?a=b", "http://[::1:3128", "http://a\nb:1"),
    ],
)
def test_anything_else_is_no_proxy(value: object) -> None:
    with pytest.raises(Refused, match="http://HOST:PORT"):
        ProxyUrl().read(value)


def test_a_proxy_with_a_password_in_it_is_refused_without_showing_it() -> None:
    with pytest.raises(Refused) as caught:
        ProxyUrl().read("http://user:private@proxy:3128")
    assert "private" not in str(caught.value)
    assert "proxy_auth_file" in str(caught.value)


@pytest.mark.parametrize("value", ["", " NSS", "NSS ", "a\nb", "x" * 201, 7])
def test_a_line_of_text_has_no_blanks_around_and_no_control_characters(value: object) -> None:
    assert LineText(1, 200).read("Our NSS, büro") == "Our NSS, büro"
    with pytest.raises(Refused):
        LineText(1, 200).read(value)
