"""Everything that is wrong with tables is shown at once, each with its key."""

from pathlib import Path

import pytest

from formats.errors import Problem
from nss.config.load import ConfigProblems, how_to_correct, parse

BASE = Path("/etc/nss")

SMALLEST = """
[sources.web]
kind = "file"
path = "web.log"

[feeds.mcas]
format = "MCAS"

[feeds.mcas.sink]
kind = "syslog_udp"
destinations = ["collector.example.com"]
"""


def problems(text: str) -> list[Problem]:
    with pytest.raises(ConfigProblems) as caught:
        parse(text, BASE)
    return list(caught.value.problems)


def test_all_problems_are_reported_in_one_message() -> None:
    text = """
    servise = 1
    [service]
    drain = 5
    log_level = "loud"
    [spool]
    max_bytes = "32 megs"
    [sources.web]
    kind = "file"
    pth = "web.log"
    zone = "Mars"
    [sources.Tcp]
    kind = "tcp"
    listen = "::1:99"
    tls_key = "server.key"
    [feeds.mcas]
    sources = ["wbe"]
    format = "MCSA"
    format_string = "%s{urll}"
    escape_characters = "%a"
    protect_for = ["pipes", "pipe", "pipes"]
    [feeds.mcas.filter]
    user = 3
    [feeds.mcas.sink]
    kind = "syslog_udp"
    destinations = ["a:99999", 3, "10.0.0.300", "ok", "ok"]
    """
    with pytest.raises(ConfigProblems) as caught:
        parse(text, BASE, origin="/etc/nss/nss.toml")
    assert str(caught.value) == (
        "configuration: 22 problems (/etc/nss/nss.toml)\n"
        "  servise = 1: unknown key; the nearest is service\n"
        "  service.drain = 5: unknown key; the nearest is drain_secs\n"
        '  service.log_level = "loud": must be "debug", "info", "warning" or "error"\n'
        '  spool.max_bytes = "32 megs": must be bytes from 16MiB to 16TiB, as a number or with a '
        'unit like "8KiB"\n'
        "  sources.Tcp: must be 1 to 64 of a-z, 0-9, _ and -\n"
        '  sources.web.pth = "web.log": unknown key; the nearest is path\n'
        '  sources.web.zone = "Mars": must be an IANA name like "Europe/Berlin", or "GMT", '
        '"GMT+2", "GMT-05:30"\n'
        '  sources.web.path: missing; for example path = "/var/log/nss/web.log"\n'
        '  sources.Tcp.listen = "::1:99": an IPv6 address needs brackets, like '
        "[2001:db8::1]:514\n"
        '  sources.Tcp.tls_key = "server.key": needs tls_certificate as well\n'
        '  feeds.mcas.format = "MCSA": there is no such preset; the nearest is MCAS\n'
        "  feeds.mcas.format_string = \"%s{urll}\": unknown field 'urll' (column 4)\n"
        "      %s{urll}\n"
        "         ^\n"
        "    Try: %s{url}\n"
        "  feeds.mcas.format_string: format and format_string exclude each other; keep one\n"
        '  feeds.mcas.escape_characters = "%a": must be printable ASCII characters, without %, '
        '0-9, a-f and A-F; wrong here: "%" "a"\n'
        '  feeds.mcas.protect_for[1] = "pipe": must be "quotes", "pipes" or "pairs"\n'
        '  feeds.mcas.protect_for[2] = "pipes": is in the list before\n'
        '  feeds.mcas.sources[0] = "wbe": there is no such source; the nearest is web\n'
        "  feeds.mcas.filter.user = 3: unknown key; the nearest is users\n"
        '  feeds.mcas.sink.destinations[0] = "a:99999": the port must be from 1 to 65535\n'
        '  feeds.mcas.sink.destinations[1] = 3: must be "HOST", "HOST:PORT" or "[IPV6]:PORT" '
        "(port 514 when left out)\n"
        '  feeds.mcas.sink.destinations[2] = "10.0.0.300": the host is neither a name nor an '
        "IPv4 address\n"
        '  feeds.mcas.sink.destinations[4] = "ok": is in the list before\n'
        f"Try: {how_to_correct()}"
    )
    assert caught.value.exit_code == 78


def test_everything_wrong_in_a_format_string_is_shown_each_with_its_place() -> None:
    wrong = r"format_string = '%-20s{login}\t${dept} {hh}'"
    with pytest.raises(ConfigProblems) as caught:
        parse(SMALLEST.replace('format = "MCAS"', wrong), BASE, origin="nss.toml")
    assert str(caught.value) == (
        "configuration: 3 problems (nss.toml)\n"
        '  feeds.mcas.format_string = "%-20s{login}\\\\t${dept} {hh}": '
        "%s takes no width (column 1)\n"
        "      %-20s{login}\\t${dept} {hh}\n"
        "      ^\n"
        "    Try: %s{login}\n"
        "  feeds.mcas.format_string: a field begins with % and its conversion, not with $ "
        "(column 15)\n"
        "      %-20s{login}\\t${dept} {hh}\n"
        "                    ^\n"
        "    Try: %s{dept}\n"
        "  feeds.mcas.format_string: no conversion before {hh} (column 23)\n"
        "      %-20s{login}\\t${dept} {hh}\n"
        "                            ^\n"
        "    Try: %d{hh} for the field, \\{hh\\} for braces\n"
        f"Try: {how_to_correct()}"
    )


@pytest.mark.parametrize(
    ("slips", "last", "counted"),
    [(10, "unknown field 'nope9'", 10), (12, "and 2 more", 12), (400, "and at least 90 more", 100)],
)
def test_what_is_not_shown_of_a_format_string_is_counted(
    slips: int, last: str, counted: int
) -> None:
    wrong = " ".join(f"%s{{nope{at}}}" for at in range(slips))
    with pytest.raises(ConfigProblems) as caught:
        parse(SMALLEST.replace('format = "MCAS"', f"format_string = '{wrong}'"), BASE)
    assert str(caught.value).startswith(f"configuration: {counted} problems (")
    assert len(caught.value.problems) == min(slips, 11)
    assert caught.value.problems[-1].reason.startswith(last)


def test_an_empty_configuration_lacks_a_source_and_a_feed() -> None:
    assert problems("") == [
        Problem("sources", None, "missing; at least one is needed, like [sources.web]"),
        Problem("feeds", None, "missing; at least one is needed, like [feeds.web]"),
    ]


def test_an_unknown_key_with_nothing_near_tells_what_is_known() -> None:
    assert problems(SMALLEST + "[spool]\ncolour = 1\n") == [
        Problem(
            "spool.colour",
            1,
            "unknown key; known are path, max_bytes, min_free_bytes, when_full, replay_minutes, "
            "rejects_max_bytes, kind",
        )
    ]


def test_a_spool_in_memory_keeps_nothing_for_a_replay() -> None:
    assert problems(SMALLEST + "[spool]\nkind = 'memory'\nreplay_minutes = 5\n") == [
        Problem("spool.replay_minutes", 5, "unknown key; known are max_bytes, kind")
    ]


def test_a_key_of_another_kind_is_unknown() -> None:
    text = SMALLEST.replace('path = "web.log"', 'path = "web.log"\nlisten = ":5514"')
    assert problems(text) == [
        Problem(
            "sources.web.listen",
            ":5514",
            "unknown key; known are format, format_string, zone, max_record_bytes, path, follow, "
            "poll_secs, kind",
        )
    ]


def test_an_odd_key_is_quoted_in_its_path() -> None:
    text = SMALLEST + '[sources."my web"]\nkind = "stdin"\n"a\\u001bb" = 1\n'
    assert [problem.key for problem in problems(text)] == [
        'sources."my web"',
        'sources."my web"."a\\u001bb"',
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("service = 3", Problem("service", 3, "must be a table, [service]")),
        ("sources = []", Problem("sources", [], "must be a table, [sources]")),
        ("sources.web = 'x'", Problem("sources.web", "x", "must be a table, [sources.web]")),
        (
            "feeds.mcas = {format = 'MCAS', filter = 1}",
            Problem("feeds.mcas.filter", 1, "must be a table, [feeds.mcas.filter]"),
        ),
        (
            "feeds.mcas = {format = 'MCAS', sink = 'udp'}",
            Problem("feeds.mcas.sink", "udp", "must be a table, [feeds.mcas.sink]"),
        ),
        (
            "feeds.mcas = {format = 'MCAS'}",
            Problem("feeds.mcas.sink", None, "missing; must be a table, [feeds.mcas.sink]"),
        ),
        (
            "feeds.mcas = {}",
            Problem(
                "feeds.mcas.format", None, 'missing; for example format = "MCAS", or format_string'
            ),
        ),
        (
            "sources.web = {}",
            Problem(
                "sources.web.kind",
                None,
                'missing; must be "file", "stdin", "tcp", "http" or "kafka"',
            ),
        ),
        (
            "sources.web.kind = ['file']",
            Problem(
                "sources.web.kind", ["file"], 'must be "file", "stdin", "tcp", "http" or "kafka"'
            ),
        ),
        ("spool.kind = 'disk'", Problem("spool.kind", "disk", 'must be "durable" or "memory"')),
    ],
)
def test_what_has_the_wrong_shape_is_reported(text: str, shown: Problem) -> None:
    assert shown in problems(text)


def test_a_source_format_string_must_be_readable_back() -> None:
    text = SMALLEST.replace('kind = "file"', "kind = \"file\"\nformat_string = '%s{url}%s{ua}'")
    assert [problem.key for problem in problems(text)] == ["sources.web.format_string"]


def test_a_long_value_is_shortened_and_a_table_is_not_spelled_out() -> None:
    long = "x" * 100
    text = SMALLEST + f"[service]\nlog_format = '{long}'\nlog_level = {{a = 1}}\n"
    with pytest.raises(ConfigProblems) as caught:
        parse(text, BASE)
    assert str(caught.value) == (
        "configuration: 2 problems (TOML text)\n"
        f'  service.log_format = "{"x" * 56}...: must be "text" or "json"\n'
        '  service.log_level = {...}: must be "debug", "info", "warning" or "error"\n'
        f"Try: {how_to_correct()}"
    )
