"""Microsoft's own client of the storage, as it is, at the lab's upload URLs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
)
from azure.storage.blob import BlobBlock, BlobClient

from nss.lab.cloud import CloudLab, Fault

Client = Callable[..., BlobClient]

DATA = bytes(range(256)) * 400


@pytest.fixture
def blob(lab: CloudLab) -> Iterator[Client]:
    """Makes the client for an upload URL; it does not try anything again."""
    with ExitStack() as opened:

        def client(url: str, **options: Any) -> BlobClient:  # noqa: ANN401 - of the library
            found = BlobClient.from_blob_url(
                url,
                connection_verify=str(lab.ca_file),
                use_env_settings=False,
                retry_total=0,
                **options,
            )
            return opened.enter_context(found)

        yield client


@pytest.fixture
def in_blocks(blob: Client) -> Client:
    """The same, which uploads in blocks what others upload at once."""
    return lambda url: blob(url, max_single_put_size=1000, max_block_size=10_000)


def refused(
    kind: type[HttpResponseError], act: Callable[..., object], *args: object, **options: object
) -> tuple[int | None, str, dict[str, str]]:
    """Return the status, the code and the further facts of a refusal, as the client reads them."""
    with pytest.raises(kind) as error:
        act(*args, **options)
    found: Any = error.value  # its attributes have no types
    return found.status_code, found.error_code, found.additional_info


@pytest.mark.parametrize("validated", [False, True])
def test_it_uploads_a_file_at_once(
    lab: CloudLab,
    begin: Callable[..., str],
    blob: Client,
    finish: Callable[..., httpx.Response],
    validated: bool,  # noqa: FBT001 - of pytest
) -> None:
    url = begin()
    done = blob(url).upload_blob(DATA, validate_content=validated)
    assert done["etag"]
    assert finish(url).json()["success"] is True
    (upload,) = lab.mcas.uploads
    assert (upload.path.read_bytes(), upload.size_bytes) == (DATA, len(DATA))
    assert lab.complaints == []
    assert [request.status for request in lab.requests] == [200, 201, 200]


@pytest.mark.parametrize("validated", [False, True])
@pytest.mark.parametrize("connections", [1, 3])
def test_it_uploads_a_file_in_blocks(
    lab: CloudLab,
    begin: Callable[..., str],
    in_blocks: Client,
    finish: Callable[..., httpx.Response],
    validated: bool,  # noqa: FBT001 - of pytest
    connections: int,
) -> None:
    url = begin()
    in_blocks(url).upload_blob(DATA, validate_content=validated, max_concurrency=connections)
    assert finish(url).json()["success"] is True
    assert lab.mcas.uploads[0].path.read_bytes() == DATA
    assert sum(request.server == "blob" for request in lab.requests) == 11 + 1
    assert lab.complaints == []


def test_it_does_not_replace_a_file_unless_it_is_asked_to(
    lab: CloudLab, begin: Callable[..., str], blob: Client, in_blocks: Client
) -> None:
    url = begin()
    blob(url).upload_blob(b"first")
    for client in (blob(url), in_blocks(url)):
        status, code, _ = refused(ResourceExistsError, client.upload_blob, DATA)
        assert (status, code) == (409, "BlobAlreadyExists")
    slot = lab.blobs.slot(url)
    assert slot is not None
    assert slot.size_bytes == len(b"first")
    for client in (blob(url), in_blocks(url)):
        client.upload_blob(DATA, overwrite=True)
        assert slot.size_bytes == len(DATA)


@pytest.mark.parametrize("kind", ["blob", "in_blocks"])
def test_it_reads_the_refusal_of_another_md5(
    lab: CloudLab, begin: Callable[..., str], request: pytest.FixtureRequest, kind: str
) -> None:
    client = request.getfixturevalue(kind)(begin())
    headers = {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}
    status, code, facts = refused(HttpResponseError, client.upload_blob, DATA, headers=headers)
    assert (status, code) == (400, "Md5Mismatch")
    assert facts["userspecifiedmd5"] == headers["Content-MD5"]
    assert "a body of another Content-MD5" in lab.complaints[0]


def test_it_reads_the_refusal_of_an_expired_url(
    lab: CloudLab, begin: Callable[..., str], blob: Client
) -> None:
    client = blob(begin())
    lab.blobs.expire()
    status, code, facts = refused(ClientAuthenticationError, client.upload_blob, DATA)
    assert (status, code) == (403, "AuthenticationFailed")
    assert "Signed expiry time" in facts["authenticationerrordetail"]


def test_it_reads_the_refusal_of_an_authorization_beside_the_signature(
    lab: CloudLab, begin: Callable[..., str], blob: Client
) -> None:
    upload, headers = blob(begin()).upload_blob, {"Authorization": "Bearer x"}
    status, code, _ = refused(HttpResponseError, upload, DATA, headers=headers)
    assert (status, code) == (400, "InvalidAuthenticationInfo")
    assert lab.mcas.uploads == []


def test_it_sees_what_is_there_where_that_is_permitted(
    lab: CloudLab, begin: Callable[..., str], blob: Client
) -> None:
    status, code, _ = refused(HttpResponseError, blob(begin()).exists)
    assert (status, code) == (403, "AuthorizationPermissionMismatch")
    lab.blobs.permissions = "rcw"
    client = blob(begin())
    assert client.exists() is False
    client.upload_blob(DATA)
    assert client.exists() is True
    properties = client.get_blob_properties()
    assert (properties.size, properties.blob_type.value) == (len(DATA), "BlockBlob")


def test_it_commits_a_list_of_blocks_again_and_none_of_unknown_blocks(
    lab: CloudLab, begin: Callable[..., str], blob: Client
) -> None:
    url = begin()
    client = blob(url)
    for name in ("0001", "0002"):
        client.stage_block(name, name.encode())
    listed = [BlobBlock("0002"), BlobBlock("0001")]
    for _ in range(2):
        client.commit_block_list(listed)
    slot = lab.blobs.slot(url)
    assert slot is not None
    assert slot.path is not None
    assert slot.path.read_bytes() == b"00020001"
    unknown = [*listed, BlobBlock("0003")]
    status, code, _ = refused(HttpResponseError, client.commit_block_list, unknown)
    assert (status, code) == (400, "InvalidBlockList")
    client.stage_block("1", b"x")
    status, code, _ = refused(HttpResponseError, client.stage_block, "longer", b"x")
    assert (status, code) == (400, "InvalidBlobOrBlock")


def test_it_reads_the_words_of_a_busy_storage(
    lab: CloudLab, begin: Callable[..., str], blob: Client
) -> None:
    client = blob(begin())
    lab.faults.add(Fault("blob", "put"))
    status, code, _ = refused(HttpResponseError, client.upload_blob, DATA)
    assert (status, code) == (503, "ServerBusy")
    client.upload_blob(DATA)
