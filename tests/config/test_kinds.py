"""What each kind of setting takes, and what it answers to anything else."""

from datetime import date
from pathlib import Path

import pytest

from formats import presets
from formats.errors import Problem
from nss.config.kinds import (
    InvalidValue,
    Kind,
    byte_size,
    file_path,
    flag,
    list_of,
    output_path,
    seconds,
    whole_number,
    words,
)
from nss.config.toml import toml_text
from nss.config.values import (
    AS_IT_CAME,
    Address,
    FormatChoice,
    component_name,
    destination,
    format_name,
    format_text,
    further_escapes,
    header_text,
    host_name,
    line_text,
    listen_address,
    proxy_url,
    url_path,
    zone_name,
)
from nss.wording import nearest

ARABIC_FIVE = "\N{ARABIC-INDIC DIGIT FIVE}"
BYTES = byte_size(480, 64 << 30)
NO_VALID_HOST = f"has no valid host; must be {destination().expected}"


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (flag(), True, True),
        (words("text", "json"), "json", "json"),
        (whole_number(0, 191), 0, 0),
        (whole_number(0, 191), 191, 191),
        (seconds(0, 3600), 0, 0.0),
        (seconds(0, 3600), 3600.0, 3600.0),
        (BYTES, 480, 480),
        (BYTES, "480", 480),
        (BYTES, "2KB", 2000),
        (BYTES, "2 KiB", 2048),
        (BYTES, "3MB", 3_000_000),
        (BYTES, "3MiB", 3_145_728),
        (BYTES, "1GB", 1_000_000_000),
        (BYTES, "64GiB", 64 << 30),
        (byte_size(0, 2 << 40), "2TiB", 2 << 40),
        (byte_size(0, 2 << 40), "2 TB", 2_000_000_000_000),
        (file_path(), "a/b", Path("a/b")),
        (file_path(), "off", Path("off")),
        (file_path(off=True), "off", None),
        (file_path(off=True), "./off", Path("./off")),
        (output_path(), "-", None),
        (output_path(), "./-", Path("./-")),
        (list_of(whole_number(1, 9)), [1, 2], (1, 2)),
        (component_name(), "web_1-a", "web_1-a"),
        (listen_address(), ":5514", Address("", 5514)),
        (listen_address(), "127.0.0.1:0", Address("127.0.0.1", 0)),
        (listen_address(), "[::1]:65535", Address("::1", 65535)),
        (listen_address(), "localhost:1", Address("localhost", 1)),
        (listen_address(off=True), "off", None),
        (listen_address(off=True), "off:1", Address("off", 1)),
        (host_name(), "collector.example.com", "collector.example.com"),
        (host_name(), "192.0.2.1", "192.0.2.1"),
        (host_name(), "2001:db8::1", "2001:db8::1"),
        (url_path(), "/", "/"),
        (url_path(), "/nss/web-1.0/", "/nss/web-1.0/"),
        (destination(), "collector.example.com.", Address("collector.example.com.", 514)),
        (destination(), "my_host:1514", Address("my_host", 1514)),
        (destination(), "192.0.2.1", Address("192.0.2.1", 514)),
        (destination(), "[fe80::1%eth0]:514", Address("fe80::1%eth0", 514)),
        (zone_name(), "Europe/Berlin", "Europe/Berlin"),
        (zone_name(), "GMT+2", "GMT+2"),
        (format_name(), "MCAS", FormatChoice("preset", "MCAS")),
        (format_name(), "own.fof", FormatChoice("file", "own.fof")),
        (format_name(), "./own", FormatChoice("file", "./own")),
        (format_name(), "unchanged", AS_IT_CAME),
        (format_name(for_source=True), "auto", FormatChoice("auto")),
        (format_name(for_source=True), "json", FormatChoice("json")),
        (format_name(for_source=True), "JSON", FormatChoice("preset", "JSON")),
        (format_text(), "%s{url}%s{ua}", FormatChoice("string", "%s{url}%s{ua}")),
        (further_escapes(), ',"\\|G~!', ',"\\|G~!'),
        (header_text(3), "n-1", "n-1"),
    ],
)
def test_a_right_value_is_read(kind: Kind, value: object, read: object) -> None:
    assert kind.read(value) == read


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (flag(), [1, 0, "true", None, []]),
        (words("text", "json"), ["TEXT", "", 1, True, ["text"], {"text": 1}]),
        (whole_number(1, 64, "ports"), [0, 65, -1, True, 1.0, "1", date(2026, 1, 2), 1 << 62]),
        (seconds(0, 3600), [-0.1, 3600.1, float("nan"), float("inf"), True, "10s", 1 << 2000]),
        (BYTES, [479, (64 << 30) + 1, 480.0, True, "", "KB", "1kb", "1M", "1TB", "-1KB", "1.5MB"]),
        (BYTES, ["9" * 5000, "9" * 15 + "GiB", ARABIC_FIVE * 3, " 1MB", "1  MB", [480]]),
        (file_path(), ["", "a\0b", "a\nb", 1, True, ["a"]]),
        (list_of(whole_number(1, 9)), [[], 1, "12", {}]),
        (component_name(), ["", "Web", "a b", "a.b", "ä", "a" * 65, 1, "a\n"]),
        (further_escapes(), [1, ["a"]]),
        (header_text(3), ["", "abcd", "a b", "ä", "a\n", 1]),
        (file_path(off=True), ["", False, None]),
        (listen_address(), [5514, ["127.0.0.1:1"]]),
        (listen_address(off=True), [False, 0]),
        (host_name(), [1, ["a"]]),
        (url_path(), ["", "nss", "/a b", "/a?b", "/%41", "/\n", "/" + "x" * 256, 1]),
        (destination(), [514, {}]),
        (zone_name(), [2, ["GMT"], "", "Mars", "../zone", "GMT+24", "a\0b"]),
        (format_name(), [1, "a\0.fof", ["MCAS"]]),
        (format_text(), [1, ["x"]]),
    ],
)
def test_a_wrong_value_is_refused_with_what_would_be_right(
    kind: Kind, values: list[object]
) -> None:
    for value in values:
        with pytest.raises(InvalidValue) as caught:
            kind.read(value)
        assert caught.value.problems == (Problem("", value, f"must be {kind.expected}"),)
        assert caught.value.problems[0].value is value


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        (listen_address(), "127.0.0.1", f"has no port; must be {listen_address().expected}"),
        (listen_address(), "[]:1", "between the brackets must be an IPv6 address"),
        (listen_address(), ":65536", "the port must be from 0 to 65535"),
        (listen_address(), ":", "the port must be from 0 to 65535"),
        (destination(), "host:0", "the port must be from 1 to 65535"),
        (destination(), "host:+1", "the port must be from 1 to 65535"),
        (destination(), f"host:{ARABIC_FIVE}", "the port must be from 1 to 65535"),
        (destination(), "2001:db8::1", "an IPv6 address needs brackets, like [2001:db8::1]:514"),
        (destination(), "[192.0.2.1]:1", "between the brackets must be an IPv6 address"),
        (destination(), "192.0.2.256", "the host is neither a name nor an IPv4 address"),
        (destination(), "1.2.3", "the host is neither a name nor an IPv4 address"),
        (destination(), "", NO_VALID_HOST),
        (destination(), ":514", NO_VALID_HOST),
        (destination(), "a..b", NO_VALID_HOST),
        (destination(), "-a", NO_VALID_HOST),
        (destination(), "a b", NO_VALID_HOST),
        (destination(), "bücher.example", NO_VALID_HOST),
        (destination(), "[::1", "an IPv6 address needs brackets, like [2001:db8::1]:514"),
        (listen_address(), "off", f"has no port; must be {listen_address().expected}"),
        (host_name(), "a:1", f"must be {host_name().expected}"),
        (host_name(), "[::1]", f"must be {host_name().expected}"),
        (host_name(), "192.0.2.256", "the host is neither a name nor an IPv4 address"),
        (host_name(), "", f"has no valid host; must be {host_name().expected}"),
        (host_name(), "a b", f"has no valid host; must be {host_name().expected}"),
        (output_path(), "", f"must be {file_path().expected}"),
        (destination(), ".".join(["a" * 63] * 4), NO_VALID_HOST),
        (
            format_name(),
            "auto",
            f"there is no such preset; known are unchanged, {', '.join(presets.names())}",
        ),
        (
            format_name(for_source=True),
            "unchanged",
            f"there is no such preset; known are auto, json, {', '.join(presets.names())}",
        ),
        (format_name(), "qradar", "there is no such preset; the nearest is QRADAR"),
        (format_text(), "plain", "prints no field"),
        (
            format_text(),
            "%s{url",
            "unclosed brace (column 1)\n  %s{url\n  ^\nTry: end the field with }",
        ),
        (
            format_text(for_source=True),
            "%s{url}%s{ua}",
            "can't be read back: nothing between %s{url} and %s{ua} tells them apart",
        ),
        (
            further_escapes(),
            "a, %é",
            f'must be {further_escapes().expected}; wrong here: "a" " " "%" "é"',
        ),
    ],
)
def test_a_near_miss_is_explained(kind: Kind, value: str, reason: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        kind.read(value)
    assert caught.value.problems == (Problem("", value, reason),)


def test_a_list_tells_each_wrong_entry_and_each_repetition() -> None:
    with pytest.raises(InvalidValue) as caught:
        list_of(destination()).read(["a", 1, "a:514", "b:x"])
    assert caught.value.problems == (
        Problem("[1]", 1, f"must be {destination().expected}"),
        Problem("[2]", "a:514", "is in the list before"),
        Problem("[3]", "b:x", "the port must be from 1 to 65535"),
    )


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        (byte_size(0, 1), 8192, "8192"),
        (byte_size(0, 1), 3 << 20, '"3MiB"'),
        (byte_size(0, 1), 2 << 30, '"2GiB"'),
        (byte_size(0, 1), 2 << 40, '"2TiB"'),
        (file_path(off=True), None, '"off"'),
        (file_path(off=True), Path("/run/a"), '"/run/a"'),
        (listen_address(off=True), None, '"off"'),
        (list_of(destination()), (Address("a", 1), Address("::1", 2)), '["a:1", "[::1]:2"]'),
        (format_name(), FormatChoice("file", "a.fof"), '"a.fof"'),
        (format_name(), FormatChoice("auto"), '"auto"'),
        (listen_address(), Address("", 5514), '":5514"'),
        (flag(), False, "false"),
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
    assert proxy_url().read(value) == found


@pytest.mark.parametrize(
    "value",
    [
        *("proxy:3128", "http://proxy", "https://proxy:1", "http://proxy:x", "http://:3128", 5),
        *("http://proxy:3128/path", "http://proxy:3128?a=b", "http://[::1:3128", "http://a\nb:1"),
    ],
)
def test_anything_else_is_no_proxy(value: object) -> None:
    with pytest.raises(InvalidValue, match="http://HOST:PORT"):
        proxy_url().read(value)


def test_a_proxy_with_a_password_in_it_is_refused_without_showing_it() -> None:
    with pytest.raises(InvalidValue) as caught:
        proxy_url().read("http://user:private@proxy:3128")
    assert "private" not in str(caught.value)
    assert "proxy_auth_file" in str(caught.value)


@pytest.mark.parametrize("value", ["", " NSS", "NSS ", "a\nb", "x" * 201, 7])
def test_a_line_of_text_has_no_blanks_around_and_no_control_characters(value: object) -> None:
    assert line_text(1, 200).read("Our NSS, büro") == "Our NSS, büro"
    with pytest.raises(InvalidValue):
        line_text(1, 200).read(value)
