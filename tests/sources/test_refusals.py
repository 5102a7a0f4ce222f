"""What sources refused: by cause, bounded, with the last peer."""

import ssl

import pytest

from nss.sources.refusals import Refusals, cause_of_handshake, cause_of_status


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_refusals_are_counted_with_the_last_peer_and_since_when_nothing_else_came() -> None:
    refusals = Refusals(Clock())
    refusals.note("credentials", "192.0.2.7:1234")
    refusals.note("credentials", "[2001:db8::1]:5")
    refusals.note("path", "192.0.2.9:1")

    path, credentials = refusals.all
    assert (path.cause, path.count) == ("path", 1)
    assert (credentials.count, credentials.unbroken) == (2, 2)
    assert (credentials.last_at, credentials.unbroken_since) == (1002, 1001)
    assert credentials.last_peer == "[2001:db8::1]"

    refusals.accepted("192.0.2.8:99")
    assert [(each.count, each.unbroken, each.unbroken_since) for each in refusals.all] == [
        (1, 0, None),
        (2, 0, None),
    ]
    refusals.note("credentials", "192.0.2.7:1234")
    assert (refusals.all[0].count, refusals.all[0].unbroken_since) == (3, 1004)


def test_who_sent_records_before_is_told_from_strangers() -> None:
    refusals = Refusals(Clock())
    refusals.note("framing", "192.0.2.7:1")
    refusals.accepted("192.0.2.7:2")
    refusals.note("framing", "192.0.2.7:3")
    refusals.note("framing", "203.0.113.9:4")
    assert [(each.unbroken, each.unbroken_known) for each in refusals.all] == [(2, 1)]
    for number in range(10_000):
        refusals.accepted(f"10.0.{number >> 8}.{number & 255}:1")
    refusals.note("framing", "192.0.2.7:5")  # so many others came since that it is forgotten
    assert [(each.unbroken, each.unbroken_known) for each in refusals.all] == [(1, 0)]


def test_a_million_senders_take_no_more_memory_than_one() -> None:
    refusals = Refusals(Clock())
    for number in range(10_000):
        refusals.note("credentials", f"10.0.{number >> 8}.{number & 255}:1")
    (only,) = refusals.all
    assert (only.count, only.last_peer) == (10_000, "10.0.39.15")


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (400, "bad_request"),
        (401, "credentials"),
        (403, "forbidden"),
        (404, "path"),
        (405, "path"),
        (408, "slow"),
        (411, "bad_request"),
        (413, "too_large"),
        (415, "unsupported"),
        (431, "bad_request"),
        (501, "bad_request"),
        (503, "busy"),
        (505, "bad_request"),
    ],
)
def test_each_answer_has_a_cause(status: int, cause: str) -> None:
    assert cause_of_status(status) == cause


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "certificate"),
        ("TLSV1_ALERT_UNKNOWN_CA", "certificate"),
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "client_certificate"),
        ("HTTP_REQUEST", "tls"),
        (None, "tls"),
    ],
)
def test_a_handshake_that_fails_has_a_cause(reason: str | None, cause: str) -> None:
    error = ssl.SSLError(1, "it failed")
    if reason is not None:
        error.reason = reason
    assert cause_of_handshake(error) == cause


def test_a_peer_that_goes_without_a_word_is_not_refused() -> None:
    assert cause_of_handshake(ConnectionResetError()) is None
    assert cause_of_handshake(ssl.SSLCertVerificationError(1, "no")) == "client_certificate"
