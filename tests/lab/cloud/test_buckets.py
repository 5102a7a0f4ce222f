"""The other storage: presigned URLs of S3, answered with 200, and its own errors."""

import hashlib
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from nss.lab.cloud import CloudLab, Fault
from nss.lab.cloud.presigning import Signer

Put = Callable[..., httpx.Response]
PLAIN = {"accept": "*/*"}


@pytest.fixture
def lab(lab: CloudLab) -> CloudLab:
    lab.mcas.provider = "aws"
    return lab


def error(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/xml"
    assert answer.headers["server"] == "AmazonS3"
    found = re.fullmatch(
        r'<\?xml version="1.0" encoding="UTF-8"\?>\n<Error><Code>(\w+)</Code><Message>.+</Message>'
        r".*<RequestId>(\w+)</RequestId><HostId>\S+</HostId></Error>",
        answer.text,
    )
    assert found is not None
    assert answer.headers["x-amz-request-id"] == found[2]
    return answer.status_code, found[1]


def test_a_url_is_signed_as_in_the_example_of_aws() -> None:
    signer = Signer("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
    url = signer.presign(
        "GET", "https://examplebucket.s3.amazonaws.com/test.txt", 1369353600.0, 86400
    )
    assert url == (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


def test_a_file_is_kept_as_it_came_and_answered_with_200(
    lab: CloudLab, api: httpx.Client, put: Put, finish: Put
) -> None:
    query = {"filename": "a.log", "source": "ZSCALER_QRADAR_SYSLOG"}
    given = api.get("/api/v1/discovery/upload_url/", params=query).json()
    url, data = given["url"], bytes(range(256)) * 4096
    place = urlsplit(url)
    assert given["provider"] == "aws"
    assert f"{place.scheme}://{place.netloc}" == lab.s3_url
    assert dict(parse_qsl(place.query))["X-Amz-Expires"] == "3600"
    answer = put(url, data, **PLAIN)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"] == f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
    assert finish(url).json()["success"] is True
    (upload,) = lab.mcas.uploads
    assert (upload.path.read_bytes(), upload.size_bytes) == (data, len(data))
    assert lab.complaints == []


def test_a_header_for_azure_does_no_harm(begin: Callable[..., str], put: Put) -> None:
    assert put(begin(), b"x").status_code == 200


def test_an_old_url_is_refused_with_the_times(
    lab: CloudLab, begin: Callable[..., str], put: Put
) -> None:
    url = begin()
    lab.mcas.expire_upload_urls()
    answer = put(url, b"late")
    assert error(answer) == (403, "AccessDenied")
    assert (
        "<Message>Request has expired</Message><X-Amz-Expires>3600</X-Amz-Expires>"
        "<Expires>1970-01-01T00:00:00Z</Expires><ServerTime>" in answer.text
    )


@pytest.mark.parametrize("change", ["&comp=block&blockid=QUJD", "&comp=blocklist", "0", "&x="])
def test_the_query_is_signed_as_a_whole_so_that_there_are_no_blocks(
    begin: Callable[..., str], put: Put, change: str
) -> None:
    assert error(put(begin() + change, b"x")) == (403, "SignatureDoesNotMatch")


def test_a_url_is_for_its_place_and_for_put_alone(
    lab: CloudLab, client: httpx.Client, begin: Callable[..., str], put: Put
) -> None:
    url = begin()
    client.headers.pop("authorization")
    assert error(client.get(url)) == (403, "SignatureDoesNotMatch")
    assert error(put(f"{lab.s3_url}/discovery-logs/x", b"x")) == (403, "SignatureDoesNotMatch")


def test_a_header_of_amazon_that_was_not_signed_is_refused(
    begin: Callable[..., str], put: Put
) -> None:
    answer = put(begin(), b"x", **{"x-amz-acl": "public-read"})
    assert error(answer) == (403, "AccessDenied")
    assert "<HeadersNotSigned>x-amz-acl</HeadersNotSigned>" in answer.text


def test_an_authorization_beside_the_signature_is_refused_and_not_repeated(
    lab: CloudLab, begin: Callable[..., str], put: Put
) -> None:
    answer = put(begin(), b"x", authorization="Bearer leaked")
    assert error(answer) == (400, "InvalidArgument")
    assert "leaked" not in answer.text
    assert lab.complaints == ["a PUT to the storage carries an Authorization header"]


def test_what_the_body_is_said_to_be_must_be_true(begin: Callable[..., str], put: Put) -> None:
    md5 = b64encode(hashlib.md5(b"x", usedforsecurity=False).digest()).decode()
    url = begin()
    assert error(put(url, b"y", **{"content-md5": md5})) == (400, "BadDigest")
    assert error(put(url, b"y", **{"content-md5": "eA=="})) == (400, "InvalidDigest")
    assert put(url, b"x", **{"content-md5": md5}).status_code == 200


def test_what_is_there_is_not_replaced_where_that_is_wanted(
    begin: Callable[..., str], put: Put
) -> None:
    url = begin()
    assert put(url, b"x", **{"if-none-match": "*"}).status_code == 200
    assert error(put(url, b"y", **{"if-none-match": "*"})) == (412, "PreconditionFailed")
    assert put(url, b"y", **PLAIN).status_code == 200


def test_a_file_without_a_length_or_too_long_is_refused(
    lab: CloudLab, client: httpx.Client, begin: Callable[..., str], put: Put
) -> None:
    lab.buckets.max_put_bytes = 1000
    url = begin()
    assert error(put(url, b"x" * 1001)) == (400, "EntityTooLarge")
    client.headers.pop("authorization")
    assert error(client.put(url, content=iter([b"x"]))) == (501, "NotImplemented")


def test_its_faults_are_in_its_words(lab: CloudLab, begin: Callable[..., str], put: Put) -> None:
    url = begin()
    lab.faults.add(Fault("s3", "put"), Fault("blob", "put"))
    answer = put(url, b"x")
    assert (answer.status_code, "<Code>SlowDown</Code>" in answer.text) == (503, True)
    assert put(url, b"x").status_code == 200


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_puts_a_file(lab: CloudLab, begin: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "web.log"
    file.write_bytes(b"x" * (2 << 20))  # curl asks first whether it may send as much
    url = begin()
    done = subprocess.run(  # noqa: S603 - a program of the system
        [
            *("curl", "--disable", "--silent", "--noproxy", "*", "--cacert", lab.ca_file),
            *("--write-out", "%{http_code}", "--upload-file", file, url),
        ],
        capture_output=True,
        check=True,
        timeout=30,
    )
    slot = lab.buckets.slot(url)
    assert slot is not None
    assert slot.path is not None
    assert (done.stdout, slot.path.read_bytes()) == (b"200", file.read_bytes())
