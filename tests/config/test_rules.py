"""What sections must be to each other."""

from pathlib import Path

import pytest

from formats.errors import Problem
from nss.config.load import ConfigProblems, parse
from nss.config.values import AS_IT_CAME

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


SINK = "feeds.mcas.sink"


def sink(keys: str) -> str:
    before, _, _ = SMALLEST.partition("[feeds.mcas.sink]")
    return f"{before}[feeds.mcas.sink]\n{keys}\n"


def source(keys: str) -> str:
    _, _, feed = SMALLEST.partition("[feeds.mcas]")
    return f"[sources.in]\n{keys}\n[feeds.mcas]{feed}"


def http(keys: str) -> str:
    return source(f"kind = 'http'\n{keys}")


def test_components_may_not_share_a_file_an_address_or_standard_input() -> None:
    text = """
    [sources]
    a = {kind = "file", path = "x/../web.log"}
    b = {kind = "file", path = "/etc/nss/web.log"}
    c = {kind = "stdin"}
    d = {kind = "stdin"}
    e = {kind = "tcp", listen = "127.0.0.1:5514"}
    f = {kind = "tcp", listen = ":5514"}
    g = {kind = "tcp", listen = "127.0.0.2:5514"}
    h = {kind = "tcp", listen = "127.0.0.1:0"}
    i = {kind = "tcp", listen = "127.0.0.1:0"}
    [feeds.loop]
    format = "CSV"
    sink = {kind = "file", path = "web.log"}
    [feeds.screen]
    format = "CSV"
    sink = {kind = "file", path = "-"}
    [feeds.screen2]
    format = "CSV"
    sink = {kind = "file", path = "-"}
    """
    assert problems(text) == [
        Problem("sources.b.path", "/etc/nss/web.log", "is taken by sources.a.path"),
        Problem("feeds.loop.sink.path", "/etc/nss/web.log", "is taken by sources.a.path"),
        Problem("feeds.loop.sink.path", "/etc/nss/web.log", "is taken by sources.b.path"),
        Problem("sources.d.kind", "stdin", "is taken by sources.c.kind"),
        Problem("sources.f.listen", ":5514", "is taken by sources.e.listen"),
        Problem("sources.g.listen", "127.0.0.2:5514", "is taken by sources.f.listen"),
        Problem("feeds.screen2.sink.path", "standard output", "is taken by feeds.screen.sink.path"),
    ]


def test_a_source_that_no_feed_takes_is_a_problem() -> None:
    text = SMALLEST.replace('format = "MCAS"', 'format = "MCAS"\nsources = ["web"]')
    assert problems(text + "[sources.idle]\nkind = 'stdin'\n") == [
        Problem("sources.idle", None, "no feed takes its records")
    ]


def test_a_record_must_fit_into_the_spool() -> None:
    text = SMALLEST.replace('path = "web.log"', 'path = "web.log"\nmax_record_bytes = "2MiB"')
    assert problems(text + "[spool]\nkind = 'memory'\nmax_bytes = '1MiB'\n") == [
        Problem(
            "sources.web.max_record_bytes",
            2 << 20,
            "one record must fit into the spool, which has max_bytes = 1048576",
        )
    ]


LISTENER_TLS = [
    ("tls_certificate", [("tls_certificate", "tls_key")]),
    ("tls_key", [("tls_key", "tls_certificate")]),
    ("tls_client_ca", [("tls_client_ca", "tls_certificate")]),
    ("tls_certificate tls_client_ca", [("tls_certificate", "tls_key")]),
]
COLLECTOR_TLS = [
    ("tls_ca tls_server_name", []),
    ("tls_certificate", [("tls_certificate", "tls_key")]),
    ("tls_key", [("tls_key", "tls_certificate")]),
]


def given(keys: str) -> str:
    return "".join(f"{key} = 'x'\n" for key in keys.split())


@pytest.mark.parametrize("kind", ["tcp", "http"])
@pytest.mark.parametrize(("keys", "shown"), LISTENER_TLS)
def test_tls_keys_of_a_listener_need_each_other(
    kind: str, keys: str, shown: list[tuple[str, str]]
) -> None:
    text = source(f"kind = '{kind}'\nlisten = '127.0.0.1:1'\n{given(keys)}")
    assert problems(text) == [
        Problem(f"sources.in.{key}", "x", f"needs {needs} as well") for key, needs in shown
    ]


@pytest.mark.parametrize(("keys", "shown"), COLLECTOR_TLS)
def test_tls_keys_of_a_sink_need_each_other(keys: str, shown: list[tuple[str, str]]) -> None:
    text = sink(f"kind = 'syslog_tcp'\ndestinations = ['c']\ntls = true\n{given(keys)}")
    wrong = [Problem(f"{SINK}.{key}", "x", f"needs {needs} as well") for key, needs in shown]
    if wrong:
        assert problems(text) == wrong
    else:
        assert parse(text, BASE)


@pytest.mark.parametrize("off", ["", "tls = false\n"])
def test_tls_keys_of_a_sink_need_tls(off: str) -> None:
    keys = "tls_ca tls_certificate tls_key tls_server_name"
    text = sink(f"kind = 'syslog_tcp'\ndestinations = ['c']\n{off}{given(keys)}")
    assert problems(text) == [
        Problem(f"{SINK}.{key}", "x", "needs tls = true as well") for key in keys.split()
    ]


def test_a_wrong_tls_is_reported_without_what_would_follow() -> None:
    text = sink("kind = 'syslog_tcp'\ndestinations = ['c']\ntls = 'yes'\ntls_ca = 'x'")
    assert problems(text) == [Problem(f"{SINK}.tls", "yes", "must be true or false")]


def test_a_number_of_rotated_files_needs_a_size_to_rotate_at() -> None:
    assert problems(sink("kind = 'file'\npath = 'lines'\nrotate_keep = 3")) == [
        Problem(f"{SINK}.rotate_keep", 3, "needs rotate_bytes as well")
    ]


def test_standard_output_can_be_neither_rotated_nor_synced() -> None:
    text = sink("kind = 'file'\npath = '-'\nrotate_bytes = '1MB'\nrotate_keep = 3\nsync = true")
    tip = "leave this out, or name a file as path"
    assert problems(text) == [
        Problem(f"{SINK}.rotate_bytes", "1MB", f"standard output can't be rotated; {tip}"),
        Problem(f"{SINK}.sync", value=True, reason=f"standard output can't be synced; {tip}"),
    ]
    assert parse(sink("kind = 'file'\npath = '-'\nsync = false"), BASE)


def test_of_a_record_that_goes_as_it_came_nothing_can_be_changed() -> None:
    more = "zone = 'GMT+1'\nescape_characters = ','\nprotect_separators = false\n"
    more += "protect_for = ['pipes']\nobfuscation_key_file = 'key'\n"
    text = sink("kind = 'file'\npath = '-'")
    text = text.replace('format = "MCAS"\n', f'format = "unchanged"\n{more}')
    why = "a record goes as it came; leave this out"
    assert [(each.key, each.reason) for each in problems(text)] == [
        (f"feeds.mcas.{key}", why)
        for key in (
            "zone",
            "escape_characters",
            "protect_separators",
            "protect_for",
            "obfuscation_key_file",
        )
    ]
    assert parse(text.replace(more, ""), BASE).feeds[0].format == AS_IT_CAME


def test_a_wrong_sync_of_standard_output_is_reported_without_what_would_follow() -> None:
    assert problems(sink("kind = 'file'\npath = '-'\nsync = 1")) == [
        Problem(f"{SINK}.sync", 1, "must be true or false")
    ]


OPEN = "is not on loopback, so it needs token_file or basic_file as well"


@pytest.mark.parametrize(
    "listen",
    [":8088", "0.0.0.0:8088", "[::]:8088", "192.0.2.1:8088", "nss.example.com:0", "[fe80::1]:1"],
)
def test_a_push_from_elsewhere_needs_a_token_or_a_password(listen: str) -> None:
    assert problems(http(f"listen = '{listen}'")) == [Problem("sources.in.listen", listen, OPEN)]
    for key in ("token_file", "basic_file"):
        assert parse(http(f"listen = '{listen}'\n{key} = 'secret'"), BASE)


@pytest.mark.parametrize(
    "listen", ["127.0.0.1:0", "127.9.9.9:1", "[::1]:1", "localhost:1", "Localhost.:1"]
)
def test_a_push_from_the_machine_itself_needs_neither(listen: str) -> None:
    assert parse(http(f"listen = '{listen}'"), BASE)


def test_a_token_and_a_password_exclude_each_other() -> None:
    assert problems(http("listen = ':1'\ntoken_file = 'a'\nbasic_file = 'b'")) == [
        Problem(
            "sources.in.basic_file",
            None,
            "token_file and basic_file exclude each other; keep one",
        )
    ]


def test_a_header_for_the_token_needs_the_token() -> None:
    [problem] = problems(http("listen = '[::1]:1'\ntoken_header = 'X-Api-Key'"))
    assert (problem.key, problem.reason) == ("sources.in.token_header", "needs token_file as well")
    parsed = parse(http("listen = ':1'\ntoken_file = 'a'\ntoken_header = 'rs_token'"), BASE)
    assert [getattr(source, "token_header", "") for source in parsed.sources] == ["rs_token"]


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\\r\\nb", "é", "x" * 65])
def test_a_header_for_the_token_has_a_name_that_http_allows(name: str) -> None:
    [problem] = problems(http(f"listen = ':1'\ntoken_file = 'a'\ntoken_header = \"{name}\""))
    assert problem.key == "sources.in.token_header"
    assert problem.reason == "must be the name of a header: 1 to 64 letters, digits, - and _"


@pytest.mark.parametrize("name", ["Host", "authorization", "Content-Encoding", "Transfer-Encoding"])
def test_a_header_for_the_token_has_no_other_meaning(name: str) -> None:
    [problem] = problems(http(f"listen = ':1'\ntoken_file = 'a'\ntoken_header = '{name}'"))
    assert problem.reason == "has another meaning in HTTP; choose a name like X-Api-Key"


def test_bodies_are_not_smaller_unpacked_and_hold_a_record() -> None:
    text = http("listen = '[::1]:1'\nmax_body_bytes = 4096\nmax_decompressed_bytes = 4095")
    assert problems(text) == [
        Problem(
            "sources.in.max_decompressed_bytes",
            4095,
            "a body that is not compressed may have max_body_bytes = 4096",
        ),
        Problem(
            "sources.in.max_record_bytes",
            1_048_576,
            "one record must fit into a body, which has max_decompressed_bytes = 4095",
        ),
    ]
    assert parse(
        text.replace("4095", "4096\nmax_record_bytes = 4096"),
        BASE,
    )


@pytest.mark.parametrize("listen", [":9632", "192.0.2.1:9632", "127.0.0.1:9632", "off"])
def test_metrics_may_be_served_anywhere(listen: str) -> None:
    assert parse(f"[service]\nmetrics_listen = '{listen}'\n{SMALLEST}", BASE)


def test_the_path_of_the_control_socket_has_107_bytes_at_most() -> None:
    def text(name: str) -> str:
        return f"[service]\ncontrol_socket = '{name}'\n{SMALLEST}"

    assert parse(text("x" * 98), BASE)
    assert problems(text("x" * 97 + "\N{LATIN SMALL LETTER E WITH ACUTE}")) == [
        Problem(
            "service.control_socket",
            f"/etc/nss/{'x' * 97}\N{LATIN SMALL LETTER E WITH ACUTE}",
            "has 108 bytes; the path of a socket may have 107, counted from the root",
        )
    ]
