"""What sections must be to each other."""

from pathlib import Path

import pytest

from nss.config import ConfigProblems, Problem, parse

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
    ]


def test_a_source_that_no_feed_takes_is_a_problem() -> None:
    text = SMALLEST.replace('format = "MCAS"', 'format = "MCAS"\nsources = ["web"]')
    assert problems(text + "[sources.idle]\nkind = 'stdin'\n") == [
        Problem("sources.idle", None, "no feed takes its records")
    ]


def test_a_record_must_fit_into_the_spool() -> None:
    text = SMALLEST.replace('path = "web.log"', 'path = "web.log"\nmax_record_bytes = "2MiB"')
    assert problems(text + "[spool]\nmax_bytes = '1MiB'\n") == [
        Problem(
            "sources.web.max_record_bytes",
            2 << 20,
            "one record must fit into the spool, which has max_bytes = 1048576",
        )
    ]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("tls_certificate", [("tls_certificate", "tls_key")]),
        ("tls_key", [("tls_key", "tls_certificate")]),
        ("tls_client_ca", [("tls_client_ca", "tls_certificate")]),
        ("tls_certificate tls_client_ca", [("tls_certificate", "tls_key")]),
    ],
)
def test_tls_keys_need_each_other(keys: str, told: list[tuple[str, str]]) -> None:
    given = "".join(f"{key} = 'x'\n" for key in keys.split())
    text = f"[sources.s]\nkind = 'tcp'\nlisten = ':1'\n{given}"
    tls = [problem for problem in problems(text) if "tls" in problem.key]
    assert tls == [
        Problem(f"sources.s.{key}", "x", f"needs {needs} as well") for key, needs in told
    ]
