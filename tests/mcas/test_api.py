"""The API client against the lab, and what every kind of answer means."""

import ssl
import time
from collections.abc import AsyncIterator, Iterator
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest

from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.lab.cloud import CloudLab, Fault
from nss.mcas import (
    McasError,
    RequestRefused,
    Throttled,
    Unreachable,
    UploadExpired,
    api_errors,
    unreachable,
)
from nss.mcas.api import McasApi
from nss.mcas.session import TokenAuthorization
from nss.secret import Secret

PAGE_TIP = "see whether a proxy or a sign-in page stands between: proxy in [mcas]"
FIREWALL_TIP = (
    "see that this machine may reach it on port 9, or set proxy in [mcas]; test it with: nss "
    "test-firewall"
)
PROXY_TIP = "see proxy and proxy_auth_file in [mcas]; test them with: nss test-firewall"
BEHIND_TIP = (
    "see the proxy's log, its DNS and the firewall behind it; test it with: nss test-firewall"
)
RULES_TIP = (
    "have the proxy's rules allow CONNECT to that host; nss test-firewall lists all that is needed"
)
WANTS_USER = "the proxy wants a user and a password, or refuses those it got: HTTP 407"
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
    (
        400,
        b'{"code":5,"error":{"code":"X"},"detail":"BAD"}',
        RequestRefused,
        "MCAS refuses the request, BAD",
    ),
    (400, b'{"errorMessageCode":"A","code":"B"}', RequestRefused, "MCAS refuses the request, A"),
    (400, b'{"code":"B","error":"C"}', RequestRefused, "MCAS refuses the request, B"),
    (400, b'{"error":"C","detail":"D"}', RequestRefused, "MCAS refuses the request, C"),
    (400, b'{"errorMessageCode":""}', RequestRefused, "MCAS refuses the request"),
    *(
        (400, body, RequestRefused, "MCAS refuses the request")
        for body in (b"", b"{", b"5", b"[]", b'["code"]', b'{"code":5}', b'{"code":{"a":5}}')
    ),
    (401, b"", RequestRefused, "MCAS does not accept the sign-in"),
    (499, b"", RequestRefused, "MCAS refuses the request"),
    (408, b"", Unreachable, "MCAS has trouble of its own"),
    (503, b"busy", Unreachable, "MCAS has trouble of its own"),
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


PAGES = (b"<html><body>Blocked</body></html>", b"\r\n <!DOCTYPE html>\n<html>", b"<HTML lang=en>")


@pytest.mark.parametrize("body", PAGES)
def test_a_page_that_forbids_is_of_a_proxy(body: bytes) -> None:
    """One that inspects TLS answers in the place of MCAS or the storage."""
    of_mcas = api_errors.refusal(403, httpx.Headers(), body, PLACE)
    of_storage = api_errors.storage_refusal(403, {}, body, PLACE)
    for error, name in ((of_mcas, "MCAS"), (of_storage, "the storage")):
        assert (type(error), error.field, error.tip) == (Unreachable, "proxy", PAGE_TIP)
        assert error.sentence == (
            f"something on the way answers with a web page instead of {name}: HTTP 403 ({PLACE})"
        )


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"detail":"x"}'])
def test_a_proxy_that_wants_a_password_is_not_the_service(body: bytes) -> None:
    of_mcas = api_errors.refusal(407, httpx.Headers(), body, PLACE)
    of_storage = api_errors.storage_refusal(407, {}, body, PLACE)
    for error in (of_mcas, of_storage):
        assert (type(error), error.field) == (Unreachable, "proxy")
        assert error.sentence == f"{WANTS_USER} ({PLACE})"


def test_a_host_without_a_region_is_named_as_the_cause() -> None:
    body = b'{"detail":"Invalid JSON Web Key Set"}'
    error = api_errors.refusal(401, httpx.Headers(), body, PLACE)
    assert (type(error), error.field, error.status) == (RequestRefused, "api_url", 401)
    assert error.sentence == (
        "the API URL is not that of the tenant's region, so that MCAS can't check the sign-in: "
        f"HTTP 401, Invalid JSON Web Key Set ({PLACE})"
    )
    assert "https://contoso.us3.portal.cloudappsecurity.com" in (error.tip or "")


NO_KEYS = b'{"detail":"Invalid JSON Web Key Set"}'


async def test_a_host_without_a_region_is_asked_once_more_with_the_same_sign_in(
    api: McasApi, lab: CloudLab, token: Token
) -> None:
    lab.faults.add(Fault("mcas", "streams", "status", 401, body=NO_KEYS))
    assert await api.streams()
    assert token.refusals == 0
    lab.faults.add(Fault("mcas", "streams", "status", 401, body=NO_KEYS, times=2))
    error = await refusal(api)
    assert (error.field, error.code, token.refusals) == ("api_url", api_errors.OTHER_REGION, 0)


async def test_a_legacy_token_that_was_revoked_is_not_tried_again(lab: CloudLab) -> None:
    network = Network(ca_file=lab.ca_file, timeout_secs=2)
    revoked = TokenAuthorization(Secret("0" * 64))
    api, before = McasApi(lab.api_url, revoked, network, Limiter(10)), len(lab.requests)
    error = await refusal(api)
    await api.close()
    assert (error.field, len(lab.requests) - before) == ("token", 1)


def test_a_signature_of_s3_that_has_expired_needs_another_url() -> None:
    body = b'<?xml version="1.0"?><Error><Code>ExpiredToken</Code><Message>x</Message></Error>'
    error = api_errors.storage_refusal(400, {}, body, "https://bucket.s3.example")
    assert isinstance(error, UploadExpired)


def test_an_unknown_data_source_is_known_by_its_code() -> None:
    body = b'{"errorMessageCode":"%s"}' % api_errors.NO_DATA_SOURCE.encode()
    error = api_errors.refusal(400, httpx.Headers(), body, PLACE)
    assert (error.sentence, error.field, error.code) == (
        f"MCAS knows no data source of that name ({PLACE})",
        "data_source",
        api_errors.NO_DATA_SOURCE,
    )
    assert (error.status, error.tip) == (
        400,
        (
            'add a data source there, named exactly as data_source in [mcas] ("NSS"), source '
            '"Zscaler QRadar LEEF", receiver type "Syslog - UDP"'
        ),
    )


@pytest.mark.parametrize(
    ("body", "code"), [(b'{"code":"BAD"}', "BAD"), (b'{"code":5}', None), (b"", None)]
)
def test_the_code_of_a_refusal_is_there_for_programs(body: bytes, code: str | None) -> None:
    error = api_errors.refusal(400, httpx.Headers(), body, PLACE)
    assert (error.code, error.status) == (code, 400)


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
        ("", b"Request was throttled.".rjust(4096), 60),
        ("", b"Request was throttled".rjust(4097), None),
        ("", b"available in 35 s".rjust(4096), 35),
        ("", b"available in 35 s".rjust(4097), None),
        ("\u00b2", b"", None),
        ("\u0661", b"", None),
        ("7 s", b"", 7),
        ("7ss", b"", None),
        ("-7", b"", None),
        ("86400", b"", 86_400),
        ("86401", b"", 86_400),
        ("99999999999999999999", b"", 86_400),
        ("9" * 5000, b"", 86_400),
        ("", b'{"detail":"throttled. Expected available in 99999 seconds."}', 86_400),
        ("Thu, 01 Jan 0001 00:00:00 GMT", b"", 0),
        ("Thu, 01 Jan 0001 00:00:00 +2359", b"", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", b"", 86_400),
        ("Fri, 31 Dec 9999 23:59:59 -2359", b"", 86_400),
        ("Fri, 31 Dec 99999 23:59:59 GMT", b"", None),
        ("Fri, 31 Dec 2026 23:59:59 +99999999", b"", None),
    ],
)
def test_how_long_to_wait_is_read_in_all_forms(
    header: str, body: bytes, secs: float | None
) -> None:
    headers = {"retry-after": header} if header else {}
    error = api_errors.refusal(429, headers, body, PLACE)
    assert isinstance(error, Throttled)
    assert error.retry_after_secs == secs


def test_a_date_to_come_again_at_is_as_far_off_as_it_is() -> None:
    headers = {"retry-after": formatdate(time.time() + 100, usegmt=True)}
    error = api_errors.refusal(429, headers, b"", PLACE)
    assert error.retry_after_secs == pytest.approx(100, abs=30)


STORAGE = {
    **dict.fromkeys((403, 404, 410), "the upload URL is not valid any more"),
    **dict.fromkeys((400, 409), "the storage refuses it"),
    **dict.fromkeys((429, 503), "the storage is busy"),
    **dict.fromkeys((408, 500, 504), "the storage has trouble of its own"),
}


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
        (408, Unreachable),
        (500, Unreachable),
        (504, Unreachable),
    ],
)
@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("ServerBusy", "ServerBusy"),
        ("Something\r\nForged: x", "Something??Forged: x"),
        ("\x1b[31mred\x7f\x85\u202e", "?[31mred???"),
        ("x" * 70_000, "x" * 120),
    ],
)
def test_what_the_storage_answers_has_its_meaning(
    status: int, kind: type[McasError], given: str, shown: str
) -> None:
    headers = {"x-ms-error-code": given}
    error = api_errors.storage_refusal(status, headers, b"", "https://storage.example")
    assert type(error) is kind
    sentence = STORAGE[status]
    assert error.sentence == f"{sentence}: HTTP {status}, {shown} (https://storage.example)"
    assert error.code in {shown, None}
    assert (error.code is None) == (kind in {Throttled, Unreachable})
    assert error.status == (status if kind is RequestRefused else 0)


@pytest.mark.parametrize(
    ("headers", "body", "secs"),
    [({"retry-after": "7"}, b"", 7), ({}, b"throttled", 60), ({}, b"", None)],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_storage_may_say_how_long_to_wait(
    status: int, headers: dict[str, str], body: bytes, secs: float | None
) -> None:
    error = api_errors.storage_refusal(status, headers, body, "https://storage.example")
    assert error.retry_after_secs == secs


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"", ""),
        (
            b'<?xml version="1.0"?><Error><Code>AuthenticationFailed</Code>',
            ", AuthenticationFailed",
        ),
        (b"<Code></Code>", ""),
        (b"<Code>two words</Code>", ""),
        (b"<Code>" + b"x" * 81 + b"</Code>", ""),
        (b" " * 4096 + b"<Code>Late</Code>", ""),
        (b" " * 4080 + b"<Code>Late</Code>", ""),
        (b" " * 4079 + b"<Code>Late</Code>", ", Late"),
    ],
)
def test_the_storage_may_name_the_reason_in_its_body(body: bytes, shown: str) -> None:
    error = api_errors.storage_refusal(403, {}, body, "https://storage.example")
    assert error.sentence == (
        f"the upload URL is not valid any more: HTTP 403{shown} (https://storage.example)"
    )


@pytest.mark.parametrize("status", [200, 204, 302, 399])
def test_who_answers_instead_of_the_storage_is_not_the_storage(status: int) -> None:
    error = api_errors.storage_refusal(status, {}, b"", "https://storage.example")
    assert (type(error), error.sentence, error.tip) == (
        Unreachable,
        (
            f"something on the way answers instead of the storage: HTTP {status} "
            "(https://storage.example)"
        ),
        "see whether a proxy or a sign-in page stands between: proxy in [mcas]",
    )


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
    assert error.tip == (PAGE_TIP if kind == "html" else None)


async def test_a_port_where_nobody_listens_is_named(token: Token, lab: CloudLab) -> None:
    network = Network(ca_file=lab.ca_file, timeout_secs=2)
    api = McasApi("https://localhost:9", token, network, Limiter(10))
    error = await refusal(api)
    await api.close()
    assert (error.sentence, error.tip) == (
        "nothing listens at localhost:9 (connection refused)",
        FIREWALL_TIP,
    )


@pytest.mark.parametrize(
    ("error", "sentence", "tip", "field"),
    [
        (
            httpx.ProxyError("407 user:private"),
            *(
                WANTS_USER,
                "give USER:PASSWORD in the file that proxy_auth_file in [mcas] names",
            ),
            "proxy",
        ),
        (
            httpx.ProxyError("403 Forbidden"),
            *("the rules of the proxy forbid it: HTTP 403", RULES_TIP),
            "proxy",
        ),
        (
            httpx.ProxyError("502 Bad"),
            *("the proxy does not reach it: HTTP 502", BEHIND_TIP),
            "proxy",
        ),
        (
            httpx.ProxyError("user:private"),
            *("the proxy does not let it through", PROXY_TIP),
            "proxy",
        ),
        (httpx.ReadTimeout("x"), "no answer in time", None, None),
        (httpx.ReadError("x"), "the connection broke off", None, None),
    ],
)
def test_each_way_to_have_no_answer_has_its_sentence(
    error: httpx.HTTPError, sentence: str, tip: str | None, field: str | None
) -> None:
    found = unreachable.no_answer(error, PLACE)
    assert (found.sentence, found.tip, found.field) == (f"{sentence} ({PLACE})", tip, field)


@pytest.mark.parametrize(
    ("error", "proxy", "sentence", "field"),
    [
        (
            httpx.ConnectTimeout("x"),
            None,
            f"{PLACE.removeprefix('https://')}:443 does not answer (no connection within 10 s)",
            None,
        ),
        (
            httpx.ConnectTimeout("x"),
            "proxy.example:3128",
            (
                "the proxy proxy.example:3128 does not answer (no connection within 10 s), on the "
                f"way to {PLACE}"
            ),
            "proxy",
        ),
        (
            httpx.ReadTimeout("x"),
            "proxy.example:3128",
            f"no answer in time through the proxy proxy.example:3128 ({PLACE})",
            None,
        ),
        (
            httpx.ConnectError("x"),
            "proxy.example:3128",
            f"no connection to the proxy proxy.example:3128, on the way to {PLACE}",
            "proxy",
        ),
    ],
)
def test_a_proxy_that_does_not_answer_is_named_with_its_address(
    error: httpx.HTTPError, proxy: str | None, sentence: str, field: str | None
) -> None:
    found = unreachable.no_answer(error, PLACE, proxy)
    assert (found.sentence, found.field) == (sentence, field)


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


async def test_an_answer_without_end_is_given_up(api: McasApi, lab: CloudLab) -> None:
    lab.faults.add(Fault("mcas", "streams", "status", 200, body=b" " * (5 << 20)))
    error = await refusal(api)
    assert "too long" in error.sentence
