"""No two keys may want the same file or address."""

from pathlib import Path

import pytest

from formats.errors import Problem
from nss.config.load import ConfigProblems, parse

BASE = Path("/etc/nss")


def problems(text: str) -> list[Problem]:
    with pytest.raises(ConfigProblems) as caught:
        parse(text, BASE)
    return list(caught.value.problems)


def config(*, service: str = "", spool: str = "", source: str = "", sink: str = "") -> str:
    return f"""
    [service]
    {service}
    [spool]
    {spool}
    [sources.web]
    {source or "kind = 'stdin'"}
    [feeds.out]
    format = "CSV"
    [feeds.out.sink]
    {sink or "kind = 'file'; path = '-'"}
    """.replace("; ", "\n")


@pytest.mark.parametrize(
    ("metrics", "listen", "clash"),
    [
        ("127.0.0.1:9632", "127.0.0.1:9632", True),
        ("127.0.0.1:9632", ":9632", True),
        ("[::]:9632", "127.0.0.1:9632", True),
        ("localhost:9632", "127.0.0.1:9632", True),
        ("LOCALHOST.:9632", "localhost:9632", True),
        ("[0:0::1]:9632", "[::1]:9632", True),
        ("127.0.0.1:9632", "127.0.0.1:9633", False),
        ("127.0.0.1:9632", "127.0.0.2:9632", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
    ],
)
@pytest.mark.parametrize("kind", ["tcp", "http"])
def test_metrics_and_a_source_may_not_listen_at_the_same_address(
    kind: str, metrics: str, listen: str, *, clash: bool
) -> None:
    token = "token_file = 'token'" if kind == "http" else ""
    source = f"kind = '{kind}'; listen = '{listen}'; {token}"
    text = config(service=f"metrics_listen = '{metrics}'", source=source)
    if clash:
        reason = "is taken by service.metrics_listen"
        assert problems(text) == [Problem("sources.web.listen", listen, reason)]
    else:
        assert parse(text, BASE)


@pytest.mark.parametrize(
    "name", ["spool.db-wal", "spool.db-shm", "spool.db-journal", "spool.db.lock"]
)
def test_a_file_beside_the_spool_is_the_spools(name: str) -> None:
    reason = "is taken by spool.path, which needs more files beside /etc/nss/spool.db"
    for source, sink, key in (
        (f"kind = 'file'; path = '{name}'", "", "sources.web.path"),
        ("", f"kind = 'file'; path = 'x/../{name}'", "feeds.out.sink.path"),
        (f"kind = 'stdin'; format = './{name}'", "", "sources.web.format"),
    ):
        text = config(spool="path = 'spool.db'", source=source, sink=sink)
        assert problems(text) == [Problem(key, f"/etc/nss/{name}", reason)]


def test_a_file_whose_name_only_begins_like_the_spools_is_free() -> None:
    for name in ("spool.db.1", "spool.db-wal2", "spool.d", "x/spool.db-wal"):
        sink = f"kind = 'file'; path = '{name}'"
        assert parse(config(spool="path = 'spool.db'", sink=sink), BASE)


def test_the_spool_may_not_stand_where_something_else_does() -> None:
    text = config(
        service="control_socket = 'spool.db-wal'",
        spool="path = 'spool.db'",
        source="kind = 'file'; path = 'spool.db'",
        sink="kind = 'file'; path = './spool.db'",
    )
    assert problems(text) == [
        Problem(
            "spool.path",
            "/etc/nss/spool.db",
            "needs /etc/nss/spool.db-wal beside it, which is taken by service.control_socket",
        ),
        Problem("sources.web.path", "/etc/nss/spool.db", "is taken by spool.path"),
        Problem("feeds.out.sink.path", "/etc/nss/spool.db", "is taken by spool.path"),
        Problem("feeds.out.sink.path", "/etc/nss/spool.db", "is taken by sources.web.path"),
    ]


def test_a_spool_in_memory_and_a_control_socket_that_is_off_take_no_file() -> None:
    text = config(
        service="control_socket = 'off'",
        spool="kind = 'memory'",
        source="kind = 'file'; path = '/run/nss/control.sock'",
        sink="kind = 'file'; path = '/var/lib/nss/spool.db'",
    )
    assert parse(text, BASE)


@pytest.mark.parametrize("number", ["1", "3"])
def test_a_file_that_a_sink_rotates_to_is_the_sinks(number: str) -> None:
    sink = "kind = 'file'; path = 'lines'; rotate_bytes = '1MB'; rotate_keep = 3"
    text = config(source=f"kind = 'file'; path = 'lines.{number}'", sink=sink)
    assert problems(text) == [
        Problem(
            "feeds.out.sink.path",
            "/etc/nss/lines",
            f"needs /etc/nss/lines.{number} beside it, which is taken by sources.web.path",
        )
    ]
    assert parse(text.replace("rotate", "# rotate"), BASE)


@pytest.mark.parametrize(
    "name", ["lines.0", "lines.4", "lines.03", "lines.3.1", "lines3", "x/lines.3"]
)
def test_a_file_that_a_sink_does_not_rotate_to_is_free(name: str) -> None:
    sink = "kind = 'file'; path = 'lines'; rotate_bytes = '1MB'; rotate_keep = 3"
    assert parse(config(source=f"kind = 'file'; path = '{name}'", sink=sink), BASE)


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("kind = 'http'; listen = ':1'; token_file = 'lines'", "token_file"),
        ("kind = 'http'; listen = ':1'; basic_file = 'lines'", "basic_file"),
        (
            "kind = 'tcp'; listen = ':1'; tls_certificate = 'lines'; tls_key = 'x'",
            "tls_certificate",
        ),
        ("kind = 'stdin'; format = './lines'", "format"),
    ],
)
def test_a_sink_may_not_write_into_what_a_source_is_set_up_from(source: str, key: str) -> None:
    text = config(source=source, sink="kind = 'file'; path = 'lines'")
    assert problems(text) == [
        Problem("feeds.out.sink.path", "/etc/nss/lines", f"is taken by sources.web.{key}")
    ]


def test_a_sink_may_not_write_into_the_key_of_a_feed() -> None:
    sink = "kind = 'file'; path = 'lines'; [feeds.b]; format = './lines'; "
    sink += "obfuscation_key_file = 'lines'; sink = {kind = 'file', path = '-'}"
    assert problems(config(sink=sink)) == [
        Problem(f"feeds.b.{key}", "/etc/nss/lines", "is taken by feeds.out.sink.path")
        for key in ("format", "obfuscation_key_file")
    ]


def test_what_is_only_read_may_be_read_by_several() -> None:
    tls = "tls_certificate = 'nss.pem'; tls_key = 'nss.key'"
    source = f"kind = 'tcp'; listen = ':1'; format = 'own.fof'; {tls}"
    sink = f"kind = 'syslog_tcp'; destinations = ['c']; tls = true; {tls}; "
    sink += "[feeds.b]; format = 'own.fof'; sink = {kind = 'file', path = '-'}"
    assert parse(config(source=source, sink=sink), BASE)
