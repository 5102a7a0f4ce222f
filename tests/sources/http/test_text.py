"""What can't be decoded as text is refused with 415, seen by operators, and what can is taken."""

import base64
import bz2
import gzip
import lzma
import random
import zlib
from typing import TYPE_CHECKING

import pytest
import zstandard

from nss.sources.http.condition import UNUSABLE_SECS, Condition
from nss.sources.http.text import SAMPLE_BYTES, NotTextError, TextCheck, is_text
from nss.telemetry import events
from tests.sources.http.serving import BODY, LINE, client_of, serving, whole

if TYPE_CHECKING:
    from tests.sources.conftest import Accepted

NOT_TEXT = "the body is no text: it may be packed otherwise than by gzip or zstd, or not be UTF-8"
BROKEN = "the body can't be unpacked: it is damaged, or was cut off"
TOO_LONG = "the body is longer than 2000 bytes as sent"
UNKNOWN = "the content encoding is none of gzip, deflate, zstd and identity, or several"

RECORDS = b"".join(
    b'{"event":{"datetime":"Mon Oct 16 22:55:4%d 2023","user":"user%d@example.com",'
    b'"url":"www.example%d.com/%d"}}\n' % (n, n * 7, n * 3, n * n * 1001)
    for n in range(6)
)
PACKED_BY_OTHERS = {
    "brotli": (
        "G4YCYCwK7FgYEbbDzFRZ+gg5lcieW81UPUMCFH9+WmhLZanTRJd9LAo95vYmx2ynu3uySP82G8ruonCXhGHmgYYz"
        "yG1sCTlWFYL1ylp3ajgSn0kZHwcnpGvfxjdt5XQzceK9h3Agauc/WWKPAV9KkCTEqDqoZwRIpis2MNJmzcolYmXN"
        "lrbqSQplHHDA7CvDTYYM"
    ),
    "LZ4 block": (
        "8Sh7ImV2ZW50Ijp7ImRhdGV0aW1lIjoiTW9uIE9jdCAxNiAyMjo1NTo0MCAyMDIzIiwidXNlciI6BwDQMEBleGFt"
        "cGxlLmNvbRsAk3JsIjoid3d3LhgAEDAZAG8vMCJ9fQpoABUfMWgAAB83aAANETNoAE8xMDAxawAZHzJrAAAvMTRs"
        "AA0RNmwATzQwMDRsABkfM2wAAC8yMWwADRE5bABPOTAwOWwAGR80bAABHzhsAA0hMTJtAF8xNjAxNrEBGR81bgAA"
        "LzM1bgAOETVuAJAyNTAyNSJ9fQo="
    ),
    "LZ4 frame": (
        "BCJNGFRArtkAAADxKHsiZXZlbnQiOnsiZGF0ZXRpbWUiOiJNb24gT2N0IDE2IDIyOjU1OjQwIDIwMjMiLCJ1c2Vy"
        "IjoHANAwQGV4YW1wbGUuY29tGwCTcmwiOiJ3d3cuGAAQMBkAby8wIn19CmgAFR8xaAAAHzdoAA0RM2gATzEwMDFr"
        "ABkfMmsAAC8xNGwADRE2bABPNDAwNGwAGR8zbAAALzIxbAANETlsAE85MDA5bAAZHzRsAAEfOGwADSIxMkUBTzYw"
        "MTZuABkfNW4AAC8zNW4ADhE1bgCQMjUwMjUifX0KEVmlSAAAAADGX8mJ"
    ),
    "Snappy": (
        "hwXwWHsiZXZlbnQiOnsiZGF0ZXRpbWUiOiJNb24gT2N0IDE2IDIyOjU1OjQwIDIwMjMiLCJ1c2VyIjoidXNlcjBA"
        "ZXhhbXBsZS5jb20iLCJ1cmwiOiJ3d3cuZXhhARgoMC5jb20vMCJ9fQqeaAAAMUpoAAA3fmgAADMFaBAxMDAxIqpr"
        "AAAySmsABDE0fmwAADYFbBA0MDA0IqpsAAAzSmwABDIxfmwAADkFbAw5MDA5rmwAADRObAAAOH5sAAQxMgVtEDE2"
        "MDE2rm4AADVKbgAEMzWCbgA4NS5jb20vMjUwMjUifX0K"
    ),
    "Snappy frames": (
        "/wYAAHNOYVBwWQDrAACAS0vphwXwWHsiZXZlbnQiOnsiZGF0ZXRpbWUiOiJNb24gT2N0IDE2IDIyOjU1OjQwIDIw"
        "MjMiLCJ1c2VyIjoidXNlcjBAZXhhbXBsZS5jb20iLCJ1cmwiOiJ3d3cuZXhhARgoMC5jb20vMCJ9fQqeaAAAMUpo"
        "AAA3fmgAADMFaBAxMDAxIqprAAAySmsABDE0fmwAADYFbBA0MDA0IqpsAAAzSmwABDIxfmwAADkFbAw5MDA5rmwA"
        "ADRObAAAOH5sAAQxMgVtEDE2MDE2rm4AADVKbgAEMzWCbgA4NS5jb20vMjUwMjUifX0K"
    ),
}
"""The records, packed by what is not among our libraries."""

FOREIGN = {
    **{name: base64.b64decode(text) for name, text in PACKED_BY_OTHERS.items()},
    "deflate, not declared": zlib.compress(RECORDS),
    "raw deflate": zlib.compress(RECORDS, wbits=-15),
    "bzip2": bz2.compress(RECORDS),
    "xz": lzma.compress(RECORDS),
    "gzip, twice": gzip.compress(gzip.compress(RECORDS)),
    "zstd in gzip": gzip.compress(zstandard.compress(RECORDS)),
    "zip": b"PK\x03\x04\x14\x00\x00\x00\x08\x00" + zlib.compress(RECORDS, wbits=-15),
    "UTF-16": RECORDS.decode().encode("utf-16"),
    "UTF-16 without mark": RECORDS.decode().encode("utf-16-be"),
    "UTF-16 in gzip": gzip.compress(RECORDS.decode().encode("utf-16-le")),
    "UTF-32": RECORDS.decode().encode("utf-32"),
    "NULs": bytes(100),
    "a NUL": b"\0",
    "noise": random.Random(1).randbytes(100_000),
    "MessagePack": b"\x82\xa4user\xa3ann\xa3url\xabexample.com" * 40,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.Random(2).randbytes(200),
}
FIRST = b'{"sourcetype":"zscalernss-web","event":{"user":"'
TEXT = {
    "a stray byte": b'{"user":"m\xfcller"}\n' + RECORDS,
    "a stray byte at the start": b"m\xfcller\texample.com/\tAllowed\n" + RECORDS,
    "Latin-1": "Müller\tbücher.example/größe\tgesperrt\tcurl/8.5.0 (Linux)\n".encode("latin-1")
    * 40,
    "a byte order mark": b"\xef\xbb\xbf" + RECORDS,
    "other scripts": "пользователь\t例え.example/パス\t許可\n".encode() * 500,
    "a character cut at 4 KiB": b"\xc3\xa9" * 5000,
    "control characters": b"\x1b[31mann\x1b[0m\texample.com/ and much more text to the line\n" * 3,
    "hostile first record": FIRST + b"\x00\xff\xfe\x80" * 3000 + b'"}}\n' + RECORDS,
    "one letter": b"a",
    "a short line": b"ok\n",
}


@pytest.mark.parametrize("body", FOREIGN.values(), ids=FOREIGN.keys())
async def test_what_is_no_text_is_refused_and_nothing_of_it_is_accepted(
    accepted: "Accepted", body: bytes
) -> None:
    async with serving(accepted) as source, client_of(source) as client:
        answer = await client.post("/", content=body)
        error = source.last_error
    assert whole(answer) == (415, {"error": NOT_TEXT})
    assert answer.headers["accept-encoding"] == "gzip, deflate, zstd, identity"
    assert accepted.batches == []
    assert events.counters["source_requests_refused_415", "push"] == 1
    assert events.counters["source_requests_refused_400", "push"] == 0
    assert error is not None
    assert f"a request refused with 415: {NOT_TEXT} (from 127.0.0.1:" in error


@pytest.mark.parametrize("body", TEXT.values(), ids=TEXT.keys())
async def test_text_is_taken_whatever_stray_bytes_it_has(accepted: "Accepted", body: bytes) -> None:
    async with serving(accepted, max_record_bytes=1 << 20) as source, client_of(source) as client:
        answer = await client.post("/", content=body)
        assert source.last_error is None
    assert whole(answer) == (200, {"records": body.count(b"\n") or 1})
    assert accepted.data == body.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n") + b"\n"


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "zstd"])
async def test_text_is_taken_also_if_it_is_declared_to_be_packed(
    accepted: "Accepted", encoding: str
) -> None:
    async with serving(accepted) as source, client_of(source) as client:
        taken = await client.post("/", content=BODY, headers={"Content-Encoding": encoding})
        foreign = await client.post("/", content=b"\0", headers={"Content-Encoding": encoding})
    assert whole(taken) == (200, {"records": 2})
    assert whole(foreign) == (415, {"error": NOT_TEXT})
    assert accepted.data == BODY


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(BODY * 50)[:-1]),
        ("gzip", gzip.compress(BODY * 50) + b"more"),
        ("gzip", gzip.compress(BODY * 50) + b"\0X"),
        ("zstd", zstandard.compress(BODY * 50)[:-1]),
        ("zstd", b"\x28\xb5\x2f\xfd" + b"\xff" * 50),
    ],
    ids=[
        "gzip-cut",
        "gzip-and-more",
        "gzip-and-a-letter",
        "zstd-cut",
        "zstd-noise",
    ],  # those of bytes have the time
)
async def test_broken_packing_is_refused_with_415(
    accepted: "Accepted", encoding: str, body: bytes, *, declared: bool
) -> None:
    headers = {"Content-Encoding": encoding} if declared else {}
    async with serving(accepted) as source, client_of(source) as client:
        answer = await client.post("/", content=body, headers=headers)
    assert whole(answer) == (415, {"error": BROKEN})
    assert accepted.batches == []


async def test_refusals_show_until_good_records_come_again(
    accepted: "Accepted", caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[str | None] = []
    async with serving(accepted, max_body_bytes=2000) as source, client_of(source) as client:
        for _ in range(20):
            await client.post("/", content=b"\xff\x00secret")
        errors.append(source.last_error)
        await client.post("/", content=b"")
        errors.append(source.last_error)
        await client.post("/", content=LINE * 3)
        errors.append(source.last_error)
        await client.post("/", content=BODY)
        errors.append(source.last_error)
        await client.post("/", content=BODY, headers={"Content-Encoding": "br"})
        errors.append(source.last_error)
    sentences = [str(error).partition(" (from 127.0.0.1:")[0] for error in errors]
    assert sentences == [
        f"http source: 20 requests refused, the last with 415: {NOT_TEXT}",
        f"http source: 20 requests refused, the last with 415: {NOT_TEXT}",
        f"http source: 21 requests refused, the last with 413: {TOO_LONG}",
        "None",
        f"http source: a request refused with 415: {UNKNOWN}",
    ]
    assert str(errors[0]).endswith(" GMT) (127.0.0.1)")
    logged = [each for each in caplog.records if each.__dict__.get("event") == "request_refused"]
    assert len(logged) == 3  # one a kind, the others are held back
    assert logged[0].__dict__["facts"]["why"] == NOT_TEXT
    assert events.counters["source_requests_refused_415", "push"] == 21
    assert "secret" not in str([each.__dict__ for each in logged])


class Clock:
    """A clock that is set by hand."""

    secs = 100.0

    def __call__(self) -> float:
        return self.secs


def test_the_records_of_others_heal_it_only_after_a_while() -> None:
    clock = Clock()
    condition = Condition(clock)
    condition.unusable("192.0.2.1:4000", 415, "no text")
    condition.accepted("192.0.2.2:4000", 5)
    clock.secs += UNUSABLE_SECS - 1
    condition.accepted("192.0.2.2:4000", 5)
    assert condition.reason is not None
    condition.unusable("192.0.2.1:4001", 415, "no text")
    clock.secs += UNUSABLE_SECS - 1
    condition.accepted("192.0.2.2:4000", 5)
    assert str(condition.reason).startswith("2 requests refused, the last with 415: no text (from ")
    clock.secs += 1
    reasons = [condition.reason]  # it is not forgotten by time alone
    condition.accepted("192.0.2.2:4000", 5)
    reasons.append(condition.reason)
    assert [each is None for each in reasons] == [False, True]


def test_it_heals_at_once_when_the_same_sender_pushes_records() -> None:
    condition = Condition(Clock())
    condition.unusable("[2001:db8::1]:4000", 415, "no text")
    condition.accepted("[2001:db8::2]:4000", 1)
    reasons = [condition.reason]
    condition.accepted("[2001:db8::1]:4001", 1)
    reasons.append(condition.reason)
    condition.unusable("[2001:db8::1]:4002", 415, "no text")
    reasons.append(condition.reason)
    assert [str(each).partition(":")[0] for each in reasons] == [
        "a request refused with 415",
        "None",
        "a request refused with 415",
    ]


@pytest.mark.parametrize("cut", [1, 31, 32, 33, SAMPLE_BYTES - 1, SAMPLE_BYTES, 10_000])
def test_the_rule_does_not_depend_on_how_a_body_is_cut(cut: int) -> None:
    for body, expected in [(each, True) for each in TEXT.values()] + [
        (gzip.decompress(each) if each.startswith(b"\x1f\x8b") else each, False)
        for each in FOREIGN.values()
    ]:
        assert is_text(body[:SAMPLE_BYTES]) == expected
        check = TextCheck()
        taken = True
        try:
            for at in range(0, len(body), cut):
                check.add(body[at : at + cut])
            check.end()
        except NotTextError:
            taken = False
        assert taken == expected


def test_the_rule_at_its_edges() -> None:
    line = b"a" * 32
    assert is_text(line + b"\0" * 4000)
    assert not is_text(line[:31] + b"\0" + b"a" * 4000)
    assert is_text(b"\xff" + b"a" * 10)
    assert not is_text(b"\xff" + b"a" * 9)
    assert is_text(b"\t\r\n" * 10)
    for control in set(range(32)) - set(b"\t\r\n") | {0x7F}:
        assert not is_text(bytes([control]))


def test_a_spool_that_accepts_again_is_no_trouble_from_the_first_second_on() -> None:
    condition = Condition(lambda: 0.5)
    condition.held_up("the spool is full")
    assert condition.reason == "requests get 503: the spool is full"
    condition.accepted("192.0.2.1:4000", 1)
    assert condition.reason is None
