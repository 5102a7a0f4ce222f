"""The header in front of a line, in every zone and from any name."""

import time
from datetime import UTC, datetime

import pytest

from nss.config.sinks import SyslogSinkConfig
from nss.config.values import Address
from nss.sinks.syslog.header import Header

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def header(hostname: str, app_name: str = "nss") -> bytes:
    settings = SyslogSinkConfig(
        destinations=(Address("siem", 514),), rfc5424=True, hostname=hostname, app_name=app_name
    )
    return Header(settings, lambda: NOON)()


def test_the_time_is_utc_wherever_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        assert header("host") == b"<134>1 2026-11-26T12:00:00.000Z host nss - - - "
    finally:
        monkeypatch.undo()
        time.tzset()


def test_names_are_printable_and_no_longer_than_allowed() -> None:
    _, _, _, *words = header("!h\u00f6 t~" + "x" * 300, "").split(b"Z ")[1].split(b" ")
    assert words == [b"-", b"-", b""]
    host, app, *_ = header("!h\u00f6 t~" + "x" * 300, "y" * 50).split(b"Z ")[1].split(b" ")
    assert (host, app) == (b"!h__t~" + b"x" * 249, b"y" * 48)
    assert header("host", "").endswith(b"Z host - - - - ")
