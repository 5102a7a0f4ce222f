"""The storage: what it takes, and what it refuses with an error of Azure's."""

import base64
import re
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from nss.lab.cloud import CloudLab

Put = Callable[..., httpx.Response]


def blocks(*names: str) -> bytes:
    latest = "".join(f"<Latest>{name}</Latest>" for name in names)
    return f'<?xml version="1.0" encoding="utf-8"?><BlockList>{latest}</BlockList>'.encode()


def block_id(number: int) -> str:
    return base64.b64encode(f"{number:04}".encode()).decode()


def test_a_file_is_kept_as_it_came(
    lab: CloudLab, begin: Callable[..., str], put: Put, finish: Put
) -> None:
    data = bytes(range(256)) * 4096
    url = begin()
    answer = put(url, data)
    assert (answer.status_code, answer.content) == (201, b"")
    assert finish(url).status_code == 200
    (upload,) = lab.mcas.uploads
    assert (upload.path.read_bytes(), upload.size_bytes) == (data, len(data))
    assert lab.complaints == []


def test_the_upload_url_is_of_another_host_and_signed(
    lab: CloudLab, begin: Callable[..., str]
) -> None:
    url = urlsplit(begin())
    assert f"{url.scheme}://{url.netloc}" == lab.blob_url
    assert urlsplit(lab.api_url).hostname != url.hostname
    assert re.fullmatch(
        r"sv=2018-03-28&sr=b&sp=cw&st=[^&/+]+&se=[^&/+]+&sig=[0-9A-Za-z%]{43,}%3D", url.query
    )


def error(answer: httpx.Response) -> tuple[int, str]:
    found = re.search(r"<Code>(\w+)</Code>", answer.text)
    assert found is not None
    assert answer.headers["x-ms-error-code"] == found[1]
    assert answer.headers["content-type"] == "application/xml"
    return answer.status_code, found[1]


def test_an_expired_url_is_refused_with_the_documented_xml(
    lab: CloudLab, begin: Callable[..., str], put: Put
) -> None:
    url = begin()
    lab.blobs.expire()
    answer = put(url, b"late")
    assert error(answer) == (403, "AuthenticationFailed")
    assert re.fullmatch(
        r'\ufeff<\?xml version="1.0" encoding="utf-8"\?><Error><Code>AuthenticationFailed</Code>'
        r"<Message>"
        r"Server failed to authenticate the request. Make sure the value of Authorization header "
        r"is formed correctly including the signature.\nRequestId:[0-9a-f-]{36}\nTime:\S+Z"
        r"</Message><AuthenticationErrorDetail>Signed expiry time \[1970-01-01T00:00:00Z\] must be "
        r"after signed start time \[\S+Z\]</AuthenticationErrorDetail></Error>",
        answer.text,
    )
    assert put(begin(), b"in time").status_code == 201


def test_a_url_expires_after_its_time(lab: CloudLab, begin: Callable[..., str], put: Put) -> None:
    lab.blobs.sas_secs = -1
    assert error(put(begin(), b"late")) == (403, "AuthenticationFailed")


def test_a_url_that_expires_while_the_file_comes_is_refused(
    lab: CloudLab, client: httpx.Client, begin: Callable[..., str]
) -> None:
    def data() -> Iterator[bytes]:
        yield b"early"
        lab.blobs.expire()
        yield b"late!"

    url = begin()
    client.headers.pop("authorization")
    answer = client.put(
        url, content=data(), headers={"x-ms-blob-type": "BlockBlob", "content-length": "10"}
    )
    assert error(answer) == (403, "AuthenticationFailed")


@pytest.mark.parametrize("change", ["&sp=rw", "0", "&more=1"])
def test_a_url_with_another_query_is_not_authorised(
    begin: Callable[..., str], put: Put, change: str
) -> None:
    assert error(put(begin() + change, b"forged")) == (403, "AuthenticationFailed")


def test_a_url_for_nothing_is_not_authorised(lab: CloudLab, put: Put) -> None:
    assert error(put(f"{lab.blob_url}/discovery-logs/x", b"x")) == (403, "AuthenticationFailed")


def test_a_url_can_be_for_one_use(lab: CloudLab, begin: Callable[..., str], put: Put) -> None:
    url = begin()
    assert [put(url, b"once").status_code, put(url, b"twice").status_code] == [201, 201]
    lab.blobs.single_use = True
    assert error(put(url, b"again")) == (403, "AuthenticationFailed")


def test_a_put_without_the_kind_of_blob_is_refused(
    lab: CloudLab, begin: Callable[..., str], put: Put
) -> None:
    answer = put(begin(), b"x", accept="*/*")
    assert error(answer) == (400, "MissingRequiredHeader")
    assert lab.complaints == [
        "the storage refuses a PUT without x-ms-blob-type: MissingRequiredHeader"
    ]


def test_a_put_without_a_length_is_refused(
    lab: CloudLab, client: httpx.Client, begin: Callable[..., str]
) -> None:
    url = begin()
    client.headers.pop("authorization")
    answer = client.put(url, content=iter([b"x"]), headers={"x-ms-blob-type": "BlockBlob"})
    assert error(answer) == (411, "MissingContentLengthHeader")
    assert len(lab.complaints) == 1


def test_a_put_that_is_too_large_is_refused(
    lab: CloudLab, begin: Callable[..., str], put: Put
) -> None:
    lab.blobs.max_put_bytes = 1000
    url = begin()
    assert put(url, b"x" * 1000).status_code == 201
    assert error(put(url, b"x" * 1001)) == (413, "RequestBodyTooLarge")


def test_what_a_client_should_not_send_is_complained_of(
    lab: CloudLab, begin: Callable[..., str], put: Put
) -> None:
    headers = {
        "x-ms-blob-type": "BlockBlob",
        "content-type": "multipart/form-data; boundary=x",
    }
    assert put(begin(), b"--x\r\n", **headers).status_code == 201
    assert lab.complaints == [
        "a PUT to the storage is multipart form data",
        "a file begins with --, as multipart form data does",
    ]


def test_blocks_are_joined_in_the_order_of_their_list(
    lab: CloudLab, begin: Callable[..., str], put: Put, finish: Put
) -> None:
    url = begin()
    for number in (2, 0, 1, 3):
        answer = put(f"{url}&comp=block&blockid={block_id(number)}", b"%d" % number * 3)
        assert answer.status_code == 201
    listed = blocks(block_id(0), block_id(1), block_id(2))
    assert put(f"{url}&comp=blocklist", listed).status_code == 201
    assert finish(url).status_code == 200
    (upload,) = lab.mcas.uploads
    assert (upload.path.read_bytes(), upload.size_bytes) == (b"000111222", 9)
    assert lab.complaints == []


def test_blocks_alone_are_no_file(
    lab: CloudLab, begin: Callable[..., str], put: Put, finish: Put
) -> None:
    url = begin()
    put(f"{url}&comp=block&blockid={block_id(0)}", b"x")
    assert finish(url).status_code == 400
    assert lab.complaints == ["done_upload of a URL where nothing was put"]


def test_a_list_of_unknown_blocks_is_refused(begin: Callable[..., str], put: Put) -> None:
    answer = put(f"{begin()}&comp=blocklist", blocks(block_id(7)))
    assert error(answer) == (400, "InvalidBlockList")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "InvalidQueryParameterValue"),
        ("not base64!", "InvalidQueryParameterValue"),
        ("QUJD" * 30, "InvalidQueryParameterValue"),
        ("QUJDREVG", "InvalidBlobOrBlock"),
    ],
)
def test_block_ids_are_base64_and_of_one_length(
    begin: Callable[..., str], put: Put, name: str, code: str
) -> None:
    url = begin()
    assert put(f"{url}&comp=block&blockid=QUJD", b"x").status_code == 201
    assert error(put(f"{url}&comp=block&blockid={name}", b"x")) == (400, code)


def test_a_block_may_be_put_again_and_the_last_one_counts(
    lab: CloudLab, begin: Callable[..., str], put: Put, finish: Put
) -> None:
    url = begin()
    for data in (b"first", b"second"):
        put(f"{url}&comp=block&blockid=QUJD", data)
    put(f"{url}&comp=blocklist", blocks("QUJD"))
    finish(url)
    assert lab.mcas.uploads[0].path.read_bytes() == b"second"


def test_another_kind_of_put_is_refused(begin: Callable[..., str], put: Put) -> None:
    assert error(put(f"{begin()}&comp=page", b"x")) == (400, "InvalidQueryParameterValue")


def test_a_body_that_breaks_off_leaves_no_file(
    lab: CloudLab, client: httpx.Client, begin: Callable[..., str]
) -> None:
    def data() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError

    url = begin()
    with pytest.raises(ConnectionError):
        client.put(
            url, content=data(), headers={"x-ms-blob-type": "BlockBlob", "content-length": "8"}
        )
    client.close()
    lab.__exit__()  # all that was under way has ended
    assert list((lab.folder / "uploads").iterdir()) == []
    assert [(request.method, request.status) for request in lab.requests] == [
        ("GET", 200),
        ("PUT", 0),
    ]


def test_a_file_put_again_after_its_upload_leaves_the_upload_alone(
    lab: CloudLab, put: Put, upload: Callable[..., str], line: Callable[..., bytes]
) -> None:
    data = line()
    url = upload(data)
    assert put(url, b"another").status_code == 201
    assert [upload.path.read_bytes() for upload in lab.mcas.uploads] == [data]
