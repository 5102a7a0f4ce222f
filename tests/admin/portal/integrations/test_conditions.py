"""The conditions for logs to reach MCAS: what is shown for each state, and never a false yes."""

from dataclasses import replace
from pathlib import Path

import pytest

from nss.admin.portal.pages.integrations.conditions import LATELY_SECS, conditions
from nss.config.load import parse
from nss.config.model import Config
from nss.status.readings import UploadReading
from nss.status.summary import FeedStatus, Health, Reason, Status
from tests.admin.conftest import NOW, STATUS, TOML

FEED = STATUS.feeds[0]
SOURCE = replace(STATUS.sources[0], last_at=NOW, last_error=None)
UPLOAD = UploadReading(
    state="collecting", last_confirmed_at=NOW, next_due_at=None, held_until=None, unconfirmed=0
)
UPLOADS = TOML.replace('kind = "syslog_udp"', 'kind = "cloud_discovery"').replace(
    'destinations = ["collector.example.com:514"]', ""
)


def config(toml: str = TOML) -> Config:
    return parse(toml, Path("/etc/nss"))


def status(feed: FeedStatus = FEED) -> Status:
    fine = Health(ok=True, alive=True)
    return replace(STATUS, at=NOW, sources=(SOURCE,), feeds=(feed,), health=fine)


def words(found: Status, toml: str = TOML, *, memory: bool | None = True) -> list[tuple[str, str]]:
    return [(each.kind, each.word) for each in conditions(found, config(toml), memory)]


def test_all_is_well() -> None:
    feed = replace(
        FEED, kind="cloud_discovery", confirmation="confirmed", upload=UPLOAD, last_delivered_at=NOW
    )

    assert words(status(feed), UPLOADS) == [
        ("good", "active"),
        ("good", "healthy"),
        ("good", "delivering"),
        ("good", "as recommended"),
    ]


@pytest.mark.parametrize(
    ("last_at", "error", "expected"),
    [
        (NOW - LATELY_SECS - 1, None, ("warn", "quiet")),
        (None, None, ("warn", "nothing yet")),
        (None, "the file is gone", ("bad", "failing")),
        (NOW - 1, "the file is gone", ("good", "active")),
        (NOW + 3600, None, ("warn", "quiet")),
    ],
)
def test_a_source_is_active_that_has_had_records_lately(
    last_at: float | None, error: str | None, expected: tuple[str, str]
) -> None:
    source = replace(SOURCE, last_at=last_at, last_error=error)

    assert words(replace(status(), sources=(source,)))[0] == expected


def test_health_names_the_first_reason_and_its_remedy() -> None:
    reasons = (Reason(component="feed mcas", why="<b>broken</b>", remedy="mend it"),)
    found = replace(status(), health=Health(ok=False, alive=True, reasons=reasons))

    condition = conditions(found, config(), None)[1]

    assert (condition.kind, condition.sentence) == ("bad", "feed mcas: <b>broken</b>")
    assert condition.tip == "mend it"


def test_what_nobody_confirms_is_no_yes() -> None:
    sent = replace(FEED, last_delivered_at=NOW, last_error=None, upload=None)

    assert words(status(sent))[2] == ("quiet", "sent, unconfirmed")
    assert words(status(replace(sent, last_delivered_at=None)))[2] == ("quiet", "nothing yet")
    assert words(status(replace(sent, last_delivered_at=NOW - 86_400)))[2] == ("warn", "quiet")
    late = replace(sent, pending=5, lag_secs=1000)
    assert words(status(late))[2] == ("warn", "late")


@pytest.mark.parametrize("state", ["failing", "held", "stopped", "unconfirmed"])
def test_uploads_that_do_not_work_are_no_yes(state: str) -> None:
    upload = replace(UPLOAD, state=state)  # type: ignore[arg-type]
    feed = replace(FEED, confirmation="confirmed", upload=upload, last_delivered_at=NOW)

    assert words(status(feed), UPLOADS)[2] == ("bad", "not delivering")


@pytest.mark.parametrize("state", ["failing", "stuck"])
def test_nor_is_a_feed_that_fails(state: str) -> None:
    feed = replace(FEED, state=state, last_delivered_at=NOW)  # type: ignore[arg-type]

    assert words(status(feed))[2] == ("bad", "not delivering")


def test_without_a_feed_of_the_right_format_there_is_none() -> None:
    other = TOML.replace('format = "MCAS"', 'format = "JSON"').replace("QRADAR", "CSV")

    assert words(status(), other)[2] == ("bad", "no feed")
    leef = (
        'format_string = "LEEF:1.0|Zscaler|NSS|4.1|%s{reason}|devTime=%s{time}\\tsrc=%s{cip}\\t'
        'dst=%s{sip}\\tcat=%s{action}"'
    )
    own = TOML.replace('format = "MCAS"', leef)
    assert words(status(), own)[2] != ("bad", "no feed")


def test_memory() -> None:
    assert words(status(), memory=False)[3] == ("warn", "less")
    assert words(status(), memory=None)[3] == ("quiet", "not known")


def test_the_worst_of_several_feeds_is_shown() -> None:
    confirmed = replace(
        FEED, confirmation="confirmed", upload=UPLOAD, last_delivered_at=NOW, name="mcas"
    )
    broken = replace(FEED, name="siem", last_error="no way")
    two = replace(status(confirmed), feeds=(confirmed, broken))
    toml = UPLOADS.replace('format = "QRADAR"', 'format = "MCAS"')

    assert words(two, toml)[2] == ("bad", "not delivering")
    fine = replace(broken, last_error=None, last_delivered_at=NOW, state="idle")
    assert words(replace(two, feeds=(confirmed, fine)), toml)[2] == ("good", "delivering")
