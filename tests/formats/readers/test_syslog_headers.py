"""Collectors find every line of ours whole behind the header that a syslog sink writes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from formats import presets
from formats.language import parse
from nss.config.sinks import SyslogSinkConfig
from nss.config.values import Address
from nss.sinks.syslog.header import Header
from tests.formats.readers import hostile, rsyslog, syslog_ng
from tests.formats.readers.lines import rendered, text_fields

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
SIEM = Address("siem.example", 514)
BEHIND_5424 = Header(
    SyslogSinkConfig(destinations=(SIEM,), rfc5424=True, hostname="nss1.example", pri=190),
    lambda: NOON,
)().decode()
BEHIND_PRI = Header(SyslogSinkConfig(destinations=(SIEM,), pri=134), lambda: NOON)().decode()

WITH_RFC_3164 = ["QRADAR", "QRADAR_OLD", "ARCSIGHT_CEF", "CEF_MULTILINE"]
"""Presets that begin with a header of their own, with a tag that the collectors take for one."""


def lines(*names: str) -> list[str]:
    found = []
    for name in names:
        feed_format = presets.load(name)
        records = hostile.records(text_fields(feed_format))
        found += [line.text for line in rendered(feed_format, records[::3])]
    return found


def test_rsyslog_finds_each_line_behind_an_rfc_5424_header(tmp_path: Path) -> None:
    sent = lines(*presets.names())
    read = rsyslog.read([BEHIND_5424 + line for line in sent], tmp_path)
    assert [message["msg"] for message in read] == sent
    header = {"pri": "190", "hostname": "nss1.example", "programname": "zscaler-nss"}
    assert [message for message in read if not header.items() <= message.items()] == []


def test_syslog_ng_finds_each_line_behind_an_rfc_5424_header(tmp_path: Path) -> None:
    sent = lines(*presets.names())
    read = syslog_ng.read([BEHIND_5424 + line for line in sent], "", tmp_path, "syslog-protocol")
    assert [message["MESSAGE"] for message in read] == sent
    header = {"PRI": "190", "HOST": "nss1.example", "PROGRAM": "zscaler-nss"}
    header |= {"ISODATE": "2026-11-26T12:00:00+00:00"}
    assert [message for message in read if not header.items() <= message.items()] == []


@pytest.mark.parametrize("name", WITH_RFC_3164)
def test_rsyslog_and_syslog_ng_find_what_is_behind_a_preset_s_own_header(
    name: str, tmp_path: Path
) -> None:
    """The tag ends at a colon: that of `zscaler-nss: LEEF`, but in CEF `zscaler-nss` is a host."""
    sent = lines(name)
    tag = "zscaler-nss" if "QRADAR" in name else "CEF"
    contents = [line.split(f"{tag}:", 1)[1].lstrip(" ") for line in sent]
    messages = [BEHIND_PRI + line for line in sent]
    for message, content in zip(rsyslog.read(messages, tmp_path), contents, strict=True):
        assert (message["pri"], message["programname"]) == ("134", tag)
        assert message["msg"].lstrip(" ") == content
    read = syslog_ng.read(messages, "", tmp_path, "store-raw-message")
    for message, content in zip(read, contents, strict=True):
        assert (message["PRI"], message["PROGRAM"]) == ("134", tag)
        assert message["MESSAGE"] == content


def test_syslog_ng_does_not_know_the_unpadded_day_of_mcas_as_a_date(tmp_path: Path) -> None:
    (line,) = rendered(
        presets.load("MCAS"), [dict.fromkeys(text_fields(presets.load("MCAS")), "x")]
    )
    assert line.text.startswith("Oct 6 09:05:08 zscaler-nss: LEEF:1.0|")
    (message,) = syslog_ng.read([BEHIND_PRI + line.text], "", tmp_path, "store-raw-message")
    assert message["PROGRAM"] == "Oct"
    assert message["MESSAGE"].startswith("6 09:05:08 zscaler-nss: LEEF:1.0|")
    (message,) = rsyslog.read([BEHIND_PRI + line.text], tmp_path)
    assert message["programname"] == "zscaler-nss"


def test_rsyslog_takes_what_a_record_says_for_octet_counts_where_a_line_begins_with_it(
    tmp_path: Path,
) -> None:
    """`docs/guarantees.md` says what helps."""
    record = {"login": "20 <13>forged: message", "ua": "x"}
    (line,) = rendered(parse("%s{login},%s{ua}"), [record])
    forged, *_ = rsyslog.read([line.text], tmp_path)
    assert (forged["programname"], forged["msg"]) == ("forged", " message,")
    (whole,) = rsyslog.read([BEHIND_5424 + line.text], tmp_path)
    assert whole["msg"] == line.text
