"""When secrets and certificates end, and what is said of it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from nss.expiry import DAY_SECS, Credential, Expiry, file_end, last_day, pem_end

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()


def ending(days: float, credential: Credential = "server_certificate", **more: object) -> Expiry:
    return Expiry(
        component="source web",
        credential=credential,
        ends_at=NOW + days * DAY_SECS,
        **more,  # type: ignore[arg-type]  # place and seen_at
    )


@pytest.mark.parametrize(
    ("days", "left", "warning"),
    [
        (400, 400, None),
        (30.001, 30, None),
        (30, 30, 30),
        (14.001, 14, 30),
        (14, 14, 14),
        (7.001, 7, 14),
        (7, 7, 7),
        (0.5, 0, 7),
        (0, 0, 0),
        (-0.5, -1, 0),
        (-400, -400, 0),
    ],
)
def test_days_left_and_the_warning_that_is_due(days: float, left: int, warning: int | None) -> None:
    assert (ending(days).days_left(NOW), ending(days).warning_days(NOW)) == (left, warning)


@pytest.mark.parametrize(
    ("expiry", "sentence"),
    [
        (
            ending(5, place="/etc/nss/web.pem"),
            (
                "the server certificate (/etc/nss/web.pem) expires in 5 days, on 2026-12-01; renew "
                "it in its file, then: sudo nss reload"
            ),
        ),
        (
            ending(1.5, "client_secret"),
            (
                "the Client Secret expires in 1 day, on 2026-11-27; make a new one in Entra, and "
                "give it to: sudo nss configure-mcas2"
            ),
        ),
        (
            ending(0.5, "client_secret"),
            (
                "the Client Secret expires in less than a day, on 2026-11-26; make a new one in "
                "Entra, and give it to: sudo nss configure-mcas2"
            ),
        ),
        (
            ending(-3, "app_certificate", place="/etc/nss/app.pem"),
            (
                "the certificate for signing in (/etc/nss/app.pem) has expired: its last day was "
                "2026-11-23; renew it in its file, and upload its public part in Entra"
            ),
        ),
        (
            ending(7, "collector", place="siem:6514", seen_at=NOW - DAY_SECS),
            (
                "the collector's certificate (siem:6514) expires in 7 days, on 2026-12-03, as it "
                "was shown on 2026-11-25; have it renewed there"
            ),
        ),
        (
            ending(7, "client_certificate"),
            (
                "the client certificate expires in 7 days, on 2026-12-03; renew it in its file, "
                "then: sudo nss reload"
            ),
        ),
    ],
)
def test_a_sentence_names_the_day_and_the_remedy(expiry: Expiry, sentence: str) -> None:
    assert expiry.sentence(NOW) == sentence


@pytest.mark.parametrize("ends_at", [1e300, -1e300, float("inf")])
def test_a_day_that_no_calendar_has_is_a_sentence_too(ends_at: float) -> None:
    assert last_day(ends_at) == "a day that no calendar has"


def test_the_end_of_a_certificate_is_read_from_its_file(tmp_path: Path) -> None:
    path, ends_at = tmp_path / "web.pem", datetime(2027, 5, 31, 12, tzinfo=UTC)
    issued = trustme.CA().issue_cert("nss.example", not_after=ends_at)
    path.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    assert file_end(path) == ends_at.timestamp()


@pytest.mark.parametrize("data", [b"", b"text", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_is_no_certificate_has_no_end(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "web.pem"
    path.write_bytes(data)
    assert (pem_end(data), file_end(path), file_end(tmp_path)) == (None, None, None)
