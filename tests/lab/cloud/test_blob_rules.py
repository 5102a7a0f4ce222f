"""What the storage demands of a request, each refusal with Azure's code, and what it answers."""

import base64
import hashlib
import re
from collections.abc import Callable

import httpx
import pytest

from nss.lab.cloud import CloudLab

Put = Callable[..., httpx.Response]

KIND = {"x-ms-blob-type": "BlockBlob"}


def error(answer: httpx.Response) -> tuple[int, str]:
    found = re.search(r"<Code>(\w+)</Code>", answer.text)
    assert found is not None
    assert answer.headers["x-ms-error-code"] == found[1]
    return answer.status_code, found[1]


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def blocks(*entries: str) -> bytes:
    return f'<?xml version="1.0"?>\n<BlockList>{"".join(entries)}</BlockList>'.encode()


def content(lab: CloudLab, url: str) -> bytes | None:
    slot = lab.blobs.slot(url)
    assert slot is not None
    return None if slot.path is None else slot.path.read_bytes()


def test_a_file_of_another_md5_is_refused_and_not_kept(
    lab: CloudLab, begin: Callable[..., str], put: Put
) -> None:
    url = begin()
    answer = put(url, b"x", **KIND, **{"content-md5": md5(b"y")})
    assert error(answer) == (400, "Md5Mismatch")
    assert (
        f"<UserSpecifiedMd5>{md5(b'y')}</UserSpecifiedMd5>"
        f"<ServerCalculatedMd5>{md5(b'x')}</ServerCalculatedMd5></Error>"
    ) in answer.text
    assert content(lab, url) is None
    assert list((lab.folder / "uploads").iterdir()) == []


@pytest.mark.parametrize("stated", ["eA==", "no base64", ""])
def test_an_md5_that_is_none_is_refused(begin: Callable[..., str], put: Put, stated: str) -> None:
    answer = put(begin(), b"x", **KIND, **{"content-md5": stated})
    assert error(answer) == (400, "InvalidMd5")


def test_the_md5_is_answered_and_blocks_and_lists_have_theirs(
    lab: CloudLab, begin: Callable[..., str], put: Put
) -> None:
    url = begin()
    whole = put(url, b"x", **KIND, **{"content-md5": md5(b"x")})
    assert (whole.status_code, whole.headers["content-md5"]) == (201, md5(b"x"))
    block = f"{url}&comp=block&blockid=QUJD"
    assert error(put(block, b"x", **{"content-md5": md5(b"y")})) == (400, "Md5Mismatch")
    assert put(block, b"y", **{"content-md5": md5(b"y")}).headers["content-md5"] == md5(b"y")
    names, listed = f"{url}&comp=blocklist", blocks("<Latest>QUJD</Latest>")
    assert error(put(names, listed, **{"content-md5": md5(b"y")})) == (400, "Md5Mismatch")
    assert put(names, listed, **{"content-md5": md5(listed)}).status_code == 201
    assert content(lab, url) == b"y"


def test_a_blob_that_exists_is_not_replaced_where_that_is_wanted(
    lab: CloudLab, begin: Callable[..., str], put: Put
) -> None:
    url, new = begin(), {"if-none-match": "*"}
    put(f"{url}&comp=block&blockid=QUJD", b"block")  # no blob yet
    assert put(url, b"first", **KIND, **new).status_code == 201
    assert error(put(url, b"second", **KIND, **new)) == (409, "BlobAlreadyExists")
    put(f"{url}&comp=block&blockid=QUJD", b"third")
    listed = blocks("<Latest>QUJD</Latest>")
    assert error(put(f"{url}&comp=blocklist", listed, **new)) == (409, "BlobAlreadyExists")
    assert content(lab, url) == b"first"
    assert put(url, b"fourth", **KIND).status_code == 201


def test_conditions_on_the_state_of_a_blob_hold(begin: Callable[..., str], put: Put) -> None:
    url = begin()
    assert error(put(url, b"x", **KIND, **{"if-match": "*"})) == (412, "ConditionNotMet")
    etag = put(url, b"x", **KIND).headers["etag"]
    assert error(put(url, b"y", **KIND, **{"if-none-match": etag})) == (412, "ConditionNotMet")
    assert put(url, b"y", **KIND, **{"if-match": etag}).status_code == 201
    assert error(put(url, b"z", **KIND, **{"if-match": etag})) == (412, "ConditionNotMet")


@pytest.mark.parametrize(
    ("code", "status"), [("InvalidAuthenticationInfo", 400), ("AuthenticationFailed", 403)]
)
def test_an_authorization_beside_the_signature_is_refused(
    lab: CloudLab, begin: Callable[..., str], put: Put, code: str, status: int
) -> None:
    lab.blobs.refuses_authorization = code  # type: ignore[assignment] # one of the two
    url = begin()
    assert error(put(url, b"x", **KIND, authorization="Bearer leaked")) == (status, code)
    assert lab.complaints == ["a PUT to the storage carries an Authorization header"]
    assert content(lab, url) is None


@pytest.mark.parametrize("kind", ["PageBlob", "blockblob", ""])
def test_another_kind_of_blob_is_refused(begin: Callable[..., str], put: Put, kind: str) -> None:
    answer = put(begin(), b"x", **{"x-ms-blob-type": kind})
    assert error(answer) == (400, "InvalidHeaderValue")
    facts = f"<HeaderName>x-ms-blob-type</HeaderName><HeaderValue>{kind}</HeaderValue>"
    assert facts in answer.text


def test_answers_have_the_headers_of_azure(begin: Callable[..., str], put: Put) -> None:
    url = begin()
    more = {"x-ms-version": "2025-05-05", "x-ms-client-request-id": "mine"}
    for answer in (put(url, b"x", **KIND, **more), put(url, b"x", **more)):
        assert answer.headers["server"].startswith("Windows-Azure-Blob/1.0")
        assert answer.headers["x-ms-version"] == "2025-05-05"
        assert answer.headers["x-ms-client-request-id"] == "mine"
        assert re.fullmatch("[0-9a-f-]{36}", answer.headers["x-ms-request-id"])
    answer = put(url, b"x", **KIND, **{"x-ms-client-request-id": "x" * 1025})
    assert answer.headers["x-ms-version"] == "2018-03-28"
    assert "x-ms-client-request-id" not in answer.headers
    assert re.fullmatch(r'"0x[0-9A-F]+"', answer.headers["etag"])
    assert "last-modified" in answer.headers


def test_what_is_there_is_shown_where_reading_is_permitted(
    lab: CloudLab, client: httpx.Client, begin: Callable[..., str], put: Put
) -> None:
    client.headers.pop("authorization")
    codes = []
    for permissions in ("cw", "rcw"):
        lab.blobs.permissions = permissions
        client.headers["authorization"] = f"Token {lab.legacy_token}"
        url = begin()
        client.headers.pop("authorization")
        before = client.head(url)
        put(url, b"text", **KIND)
        after = client.head(url)
        codes += [
            (head.status_code, head.headers.get("x-ms-error-code")) for head in (before, after)
        ]
    assert codes == [
        (403, "AuthorizationPermissionMismatch"),
        (403, "AuthorizationPermissionMismatch"),
        (404, "BlobNotFound"),
        (200, None),
    ]
    assert (before.content, after.content) == (b"", b"")
    shown = [after.headers[name] for name in ("content-length", "content-md5", "x-ms-blob-type")]
    assert shown == ["4", md5(b"text"), "BlockBlob"]
    assert error(client.get(url)) == (405, "UnsupportedHttpVerb")


def test_a_list_put_again_names_blocks_that_the_blob_has_already(
    lab: CloudLab, begin: Callable[..., str], put: Put
) -> None:
    url = begin()
    for name, data in (("QUJD", b"one"), ("QUJE", b"two")):
        put(f"{url}&comp=block&blockid={name}", data)
    names = f"{url}&comp=blocklist"
    listed = blocks("<Latest>QUJD</Latest>", "<Latest>QUJE</Latest>")
    assert [put(names, listed).status_code for _ in range(2)] == [201, 201]
    assert content(lab, url) == b"onetwo"
    put(f"{url}&comp=block&blockid=QUJD", b"new")
    assert error(put(names, blocks("<Uncommitted>QUJE</Uncommitted>"))) == (400, "InvalidBlockList")
    mixed = blocks("<Committed>QUJD</Committed>", "<Uncommitted>QUJD</Uncommitted>")
    assert put(names, mixed).status_code == 201
    assert content(lab, url) == b"onenew"
    put(url, b"whole", **KIND)
    assert error(put(names, listed)) == (400, "InvalidBlockList")
    assert content(lab, url) == b"whole"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<BlockList>",
        b"<Latest>QUJD</Latest>",
        b"<BlockList><Latest>QUJD</Oldest></BlockList>",
    ],
)
def test_a_list_that_is_no_xml_is_refused(begin: Callable[..., str], put: Put, text: bytes) -> None:
    url = begin()
    put(f"{url}&comp=block&blockid=QUJD", b"x")
    assert error(put(f"{url}&comp=blocklist", text)) == (400, "InvalidXmlDocument")


def test_an_empty_block_is_refused(begin: Callable[..., str], put: Put) -> None:
    answer = put(f"{begin()}&comp=block&blockid=QUJD", b"")
    assert error(answer) == (400, "InvalidHeaderValue")


def test_an_empty_list_is_an_empty_blob(lab: CloudLab, begin: Callable[..., str], put: Put) -> None:
    url = begin()
    assert put(f"{url}&comp=blocklist", b"<BlockList />").status_code == 201
    assert content(lab, url) == b""
