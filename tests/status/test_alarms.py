"""Warnings before something ends: each once, whatever restarts and clocks do."""

from dataclasses import replace
from pathlib import Path

import pytest

from nss.expiry import DAY_SECS, Expiry
from nss.status.alarms import FILE_NAME, ExpiryAlarms

NOW = 1_790_000_000.0
CERTIFICATE = Expiry(
    component="source web",
    credential="server_certificate",
    place="/etc/nss/web.pem",
    ends_at=NOW + 100 * DAY_SECS,
)
OTHER = replace(CERTIFICATE, component="feed siem", credential="collector", place="siem:6514")


class Log:
    """A service that restarts, and the warnings in its log."""

    def __init__(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        self.folder = folder
        self._caplog = caplog
        self.restart()

    def restart(self) -> None:
        self.alarms = ExpiryAlarms(self.folder)
        self.alarms.load()

    def days(self, left: float, *expiries: Expiry, looks: int = 3) -> list[int]:
        """Return the days left in the warnings, so many days before the end of `CERTIFICATE`."""
        self._caplog.clear()
        for _ in range(looks):
            now = CERTIFICATE.ends_at - left * DAY_SECS
            self.alarms.report(expiries or (CERTIFICATE,), now)
            self.alarms.save()
        return [record.facts["days"] for record in self._caplog.records]  # type: ignore[attr-defined]


@pytest.fixture
def log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Log:
    return Log(tmp_path, caplog)


def test_each_warning_comes_once(log: Log) -> None:
    said = [log.days(left) for left in (50, 30, 29, 15, 14, 10, 7, 6, 1, 0, -1, -30)]
    assert said == [[], [30], [], [], [14], [], [7], [], [], [0], [], []]


def test_a_restart_repeats_none(log: Log) -> None:
    said = []
    for left in (29, 29, 13, 13, 6, 6, -1, -1):
        log.restart()
        said.append(log.days(left))
    assert said == [[29], [], [13], [], [6], [], [-1], []]


def test_a_service_that_starts_late_warns_of_the_last_only(log: Log) -> None:
    assert log.days(5) == [5]


def test_a_renewed_certificate_is_warned_of_anew(log: Log) -> None:
    assert log.days(6) == [6]
    renewed = replace(CERTIFICATE, ends_at=CERTIFICATE.ends_at + 365 * DAY_SECS)
    assert log.days(6, renewed) == []
    assert log.days(-360, renewed) == [5]


def test_each_has_warnings_of_its_own(log: Log) -> None:
    assert log.days(6, CERTIFICATE, OTHER) == [6, 6]
    assert log.days(6, CERTIFICATE) == []
    log.restart()  # a collector's certificate is known only once it was shown
    assert log.days(6, CERTIFICATE) == []
    assert log.days(6, CERTIFICATE, OTHER) == []


def test_a_clock_that_was_ahead_for_a_moment_silences_nothing(log: Log) -> None:
    assert log.days(-1000) == [-1000]
    assert log.days(50) == []
    assert [log.days(left) for left in (29, 13, 6, -1)] == [[29], [13], [6], [-1]]


def test_what_can_not_be_kept_is_still_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = Log(tmp_path / "missing", caplog)
    assert [log.days(6), log.days(6)] == [[6], []]


@pytest.mark.parametrize("data", [b"", b"{", b"[5]", b'[{"component": 5}]', b"\xff", b"[" * 99_999])
def test_a_damaged_file_says_nothing_and_is_replaced(log: Log, data: bytes) -> None:
    path = log.folder / FILE_NAME
    path.write_bytes(data)
    log.restart()
    assert log.days(6) == [6]
    log.restart()
    assert log.days(6) == []


def test_what_ended_long_ago_and_is_gone_is_forgotten(log: Log) -> None:
    log.days(6, CERTIFICATE, OTHER)
    assert b"siem:6514" in (log.folder / FILE_NAME).read_bytes()
    log.days(-100, CERTIFICATE)
    assert b"siem:6514" not in (log.folder / FILE_NAME).read_bytes()


def test_the_sentence_says_what_to_do(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    log.days(6)
    (record,) = caplog.records
    facts = record.facts  # type: ignore[attr-defined]
    assert (record.levelname, record.component) == ("WARNING", "source web")  # type: ignore[attr-defined]
    assert facts["why"].startswith("the server certificate (/etc/nss/web.pem) expires in 6 days")
    assert facts["why"].endswith("then: sudo nss reload")
