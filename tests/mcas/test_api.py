"""The API client against the lab, and what every kind of answer means."""

import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.lab.cloud import CloudLab, Fault
from nss.mcas import McasError, RequestRefused, Throttled, Unreachable, UploadExpired, api_errors
from nss.mcas.api import McasApi
from nss.secret import Secret

PLACE = "https://contoso.us3.portal.cloudappsecurity.com"


class Token:
    """A legacy token, and how often it was refused."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.refusals = 0

    async def header(self) -> Secret:
        return Secret(f"Token {self.token}")

    def refused(self) -> None:
        self.refusals += 1


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudLab]:
    with CloudLab(tmp_path_factory.mktemp("lab"), requests_per_minute=10_000) as lab:
        yield lab


@pytest.fixture
def token(lab: CloudLab) -> Token:
    return Token(lab.legacy_token)


@pytest.fixture
async def api(lab: CloudLab, token: Token) -> AsyncIterator[McasApi]:
    network = Network(ca_file=lab.ca_file, timeout_secs=2)
    found = McasApi(lab.api_url, token, network, Limiter(10_000))
    yield found
    await found.close()
    lab.faults.clear()


async def refusal(api: McasApi) -> McasError:
    with pytest.raises(McasError) as caught:
        await api.streams()
    return caught.value


async def test_data_sources_are_read_in_both_forms(api: McasApi, lab: CloudLab) -> None:
    single = (
        b'{"displayName":"NSS","lastDataReceived":"2026-01-02T03:04:05Z","logFilesFailsCount":2}'
    )
    lab.faults.add(Fault("mcas", "streams", "status", 200, body=single))
    (stream,) = await api.streams()
    (other,) = await api.streams()
    assert (stream.name, stream.last_received, stream.failed_files) == (
        "NSS",
        "2026-01-02T03:04:05Z",
        2,
    )
    assert (stream.log_type, stream.receiver) == (None, "")
    assert (other.name, other.log_type, other.receiver) == ("NSS", 170, "syslog udp")


@pytest.mark.parametrize("body", [b"[1, 2]", b'{"streams": 5}', b'"text"', b"null", b"{}"])
async def test_data_sources_of_another_shape_are_none_or_an_error(
    api: McasApi, lab: CloudLab, body: bytes
) -> None:
    lab.faults.add(Fault("mcas", "streams", "status", 200, body=body))
    try:
        found = await api.streams()
    except Unreachable:
        found = []
    assert found == []


async def test_a_401_is_tried_once_more_and_then_reported(
    api: McasApi, lab: CloudLab, token: Token
) -> None:
    lab.faults.add(Fault("mcas", "streams", "status", 401, body=b"{}", times=2))
    error = await refusal(api)
    assert isinstance(error, RequestRefused)
    assert (error.status, error.field, token.refusals) == (401, "api_url", 1)


MEANINGS = [
    (
        403,
        b'{"detail":"Insufficient role based permissions"}',
        RequestRefused,
        "MCAS does not permit it",
    ),
    (404, b"", RequestRefused, "there is no MCAS API at the API URL"),
    (413, b"", RequestRefused, "the file is too large for MCAS"),
    (302, b"", RequestRefused, "there is no MCAS API at the API URL"),
    (400, b'{"code":"BAD"}', RequestRefused, "MCAS refuses the request, BAD"),
    (500, b"", Unreachable, "MCAS has trouble of its own"),
    (502, b"<html>", Unreachable, "MCAS has trouble of its own"),
    (503, b'{"detail":"Request was throttled."}', Throttled, "MCAS asks for fewer requests"),
    (429, b"", Throttled, "MCAS asks for fewer requests"),
]


@pytest.mark.parametrize(("status", "body", "kind", "sentence"), MEANINGS)
def test_every_status_has_its_meaning(
    status: int, body: bytes, kind: type[McasError], sentence: str
) -> None:
    error = api_errors.refusal(status, httpx.Headers(), body, PLACE)
    http = "" if kind is Throttled else f": HTTP {status}"
    assert type(error) is kind
    assert error.sentence == f"{sentence}{http} ({PLACE})"


def test_an_unknown_data_source_is_known_by_its_code() -> None:
    body = b'{"errorMessageCode":"%s"}' % api_errors.NO_DATA_SOURCE.encode()
    error = api_errors.refusal(400, httpx.Headers(), body, PLACE)
    assert (error.sentence, error.field, error.code) == (
        f"MCAS knows no data source of that name ({PLACE})",
        "data_source",
        api_errors.NO_DATA_SOURCE,
    )


@pytest.mark.parametrize(
    ("header", "body", "secs"),
    [
        ("7", b"", 7),
        ("13s", b"", 13),
        ("", b'{"detail":"Request was throttled. Expected available in 35 seconds."}', 35),
        ("", b'{"detail":"Request was throttled."}', 60),
        ("", b"", None),
        ("soon", b"", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", b"", 0),
        ("99999999999999999999", b"", 999999),
    ],
)
def test_how_long_to_wait_is_read_in_all_forms(
    header: str, body: bytes, secs: float | None
) -> None:
    headers = httpx.Headers({"retry-after": header} if header else {})
    error = api_errors.refusal(429, headers, body, PLACE)
    assert isinstance(error, Throttled)
    assert error.retry_after_secs == secs


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, UploadExpired),
        (404, UploadExpired),
        (410, UploadExpired),
        (400, RequestRefused),
        (409, RequestRefused),
        (429, Throttled),
        (503, Throttled),
        (500, Unreachable),
        (200, Unreachable),
        (302, Unreachable),
    ],
)
def test_what_the_storage_answers_has_its_meaning(status: int, kind: type[McasError]) -> None:
    headers = httpx.Headers({"x-ms-error-code": "Something\r\nForged: x"[:9]})
    error = api_errors.storage_refusal(status, headers, b"", "https://storage.example")
    assert type(error) is kind
    assert "storage.example" in error.sentence


@pytest.mark.parametrize("status", [400, 403, 429, 500])
def test_a_header_of_the_storage_is_shown_short_and_printable(status: int) -> None:
    hostile = "Quota\x1b[31m\r\nForged: x\x7f\u202e" + "x" * 1000
    headers = {"x-ms-error-code": hostile}
    error = api_errors.storage_refusal(status, headers, b"", "https://storage.example")
    for text in (str(error), error.sentence, error.code or ""):
        assert text.isascii()
        assert text.isprintable()
        assert len(text) < 300
    assert "Quota?[31m??Forged: x" in error.sentence


def test_what_comes_from_outside_is_shown_short_and_printable() -> None:
    body = b'{"code":"\\u001b[31m' + b"x" * 1000 + b'"}'
    error = api_errors.refusal(400, httpx.Headers(), body, PLACE)
    assert error.sentence.isprintable()
    assert len(error.sentence) < 300


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("html", "something on the way answers with a web page instead of MCAS"),
        ("hang", "no answer in time"),
        ("reset", "the connection broke off"),
        ("truncated", "the connection broke off"),
    ],
)
async def test_what_the_network_does_is_a_sentence(
    api: McasApi, lab: CloudLab, kind: str, sentence: str
) -> None:
    lab.faults.add(Fault("mcas", "streams", kind, secs=4))  # type: ignore[arg-type]
    error = await refusal(api)
    assert isinstance(error, Unreachable)
    assert error.sentence == f"{sentence} ({lab.api_url})"


async def test_a_port_where_nobody_listens_is_no_connection(token: Token, lab: CloudLab) -> None:
    network = Network(ca_file=lab.ca_file, timeout_secs=2)
    api = McasApi("https://localhost:9", token, network, Limiter(10))
    error = await refusal(api)
    await api.close()
    assert error.sentence == "no connection (https://localhost:9)"


async def test_an_authority_that_is_not_known_names_the_setting(
    token: Token, lab: CloudLab
) -> None:
    api = McasApi(lab.api_url, token, Network(timeout_secs=2), Limiter(10))
    error = await refusal(api)
    await api.close()
    assert (error.field, "not trusted" in error.sentence) == ("ca_file", True)


async def test_a_proxy_that_is_gone_names_the_setting(token: Token, lab: CloudLab) -> None:
    network = Network(lab.ca_file, Secret("http://user:private@localhost:9"), 2)
    api = McasApi(lab.api_url, token, network, Limiter(10))
    error = await refusal(api)
    await api.close()
    assert "private" not in str(error)
    assert isinstance(error, Unreachable)


def test_a_file_of_authorities_that_is_none_is_an_error(tmp_path: Path, token: Token) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("nothing")
    with pytest.raises((ssl.SSLError, OSError)):
        McasApi(PLACE, token, Network(ca_file=path), Limiter(10))


@pytest.mark.parametrize("body", [b"{}", b'{"url": 5}', b'{"url": "http://plain.example/x"}'])
async def test_an_upload_url_must_be_one(api: McasApi, lab: CloudLab, body: bytes) -> None:
    lab.faults.add(Fault("mcas", "upload_url", "status", 200, body=body))
    with pytest.raises(Unreachable, match="gave no upload URL"):
        await api.initiate("x", "ZSCALER_QRADAR_SYSLOG")


async def test_an_answer_without_end_is_given_up(api: McasApi, lab: CloudLab) -> None:
    lab.faults.add(Fault("mcas", "streams", "status", 200, body=b" " * (5 << 20)))
    error = await refusal(api)
    assert "too long" in error.sentence
