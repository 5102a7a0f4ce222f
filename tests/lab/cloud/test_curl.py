"""The commands of Microsoft's pages and of the partner's check, as they are written there."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from nss.lab.cloud import CloudLab
from tests.lab.cloud.signing_in import claims

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

# "Initiate file upload", "Perform file upload" and "Finalize file upload" of the Cloud Discovery
# API, with the placeholders that they have; then what the partner asks Entra, in the v1 form.
INITIATE = (
    'curl -XGET -H "Authorization:Token <your_token_key>" '
    '"https://<tenant_id>.<tenant_region>.portal.cloudappsecurity.com/api/v1/discovery/upload_url/'
    '?filename=my_discovery_file.txt&source=GENERIC_CEF"'
)
PERFORM = (
    "curl --request PUT --upload-file <file_to_upload_full_path> "
    '-H "x-ms-blob-type: BlockBlob" "https://<initiate_file_upload_response_url>"'
)
FINALIZE = (
    'curl -XPOST -H "Authorization:Token <your_token_key>" -H "Content-Type: application/json" '
    '"https://<tenant_id>.<tenant_region>.portal.cloudappsecurity.com/api/v1/discovery/done_upload/"'
    r" -d {\"uploadUrl\":\"<initiate_file_upload_response_url>\","
    r"\"inputStreamName\":\"<inputStreamName>\"}"
)
SIGN_IN = (
    "curl -X POST -d 'grant_type=client_credentials&client_id=<client_id>"
    "&client_secret=<client_secret>&resource=05a65629-4c1b-48c1-a78b-804c4abdd4af' "
    "https://login.microsoftonline.com/<tenant>/oauth2/token"
)
API, LOGIN = "contoso.us3.portal.cloudappsecurity.com", "login.microsoftonline.com"

Curl = Callable[..., str]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CloudLab]:
    """A lab whose certificate is also for the names in the commands."""
    with CloudLab(tmp_path, other_names=(API, LOGIN)) as lab:
        yield lab


@pytest.fixture
def curl(lab: CloudLab, tmp_path: Path) -> Curl:
    """Runs a command with something for each placeholder; returns what it prints."""
    places = [
        f'connect-to = "{name}:443:127.0.0.1:{urlsplit(url).port}"'
        for name, url in ((API, lab.api_url), (LOGIN, lab.entra_url))
    ]
    own = [f'cacert = "{lab.ca_file}"', 'noproxy = "*"', "silent", "max-time = 20"]
    (tmp_path / ".curlrc").write_text("\n".join([*places, *own]))

    def run(command: str, *more: str, **given: str) -> str:
        for name, text in given.items():
            command = command.replace(f"<{name}>", text)
        assert "<" not in command
        done = subprocess.run(  # noqa: S603 - a program of the system
            [*shlex.split(command), *more],
            capture_output=True,
            check=True,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
            text=True,
            timeout=30,
        )
        return done.stdout

    return run


@pytest.mark.parametrize("size_bytes", [1000, 3 << 20])
def test_the_three_commands_upload_a_file(
    lab: CloudLab, curl: Curl, tmp_path: Path, size_bytes: int
) -> None:
    file = tmp_path / "web.log"
    file.write_bytes(b"x" * size_bytes)
    tenant = {"tenant_id": "contoso", "tenant_region": "us3", "your_token_key": lab.legacy_token}
    given = json.loads(curl(INITIATE, **tenant))
    assert given["provider"] == "azure"
    place = given["url"].removeprefix("https://")
    put = curl(PERFORM, file_to_upload_full_path=str(file), initiate_file_upload_response_url=place)
    assert put == ""
    named = {"initiate_file_upload_response_url": given["url"], "inputStreamName": "NSS"}
    assert json.loads(curl(FINALIZE, **tenant, **named))["success"] is True
    (upload,) = lab.mcas.uploads
    assert (upload.name, upload.source_type) == ("my_discovery_file.txt", "GENERIC_CEF")
    assert upload.path.read_bytes() == file.read_bytes()
    assert lab.complaints == []


def test_the_storage_refuses_the_command_without_its_header_or_with_a_token(
    lab: CloudLab, curl: Curl, tmp_path: Path
) -> None:
    file = tmp_path / "web.log"
    file.write_bytes(b"x")
    url = lab.blobs.issue("a", "ZSCALER")
    named = {
        "file_to_upload_full_path": str(file),
        "initiate_file_upload_response_url": url.removeprefix("https://"),
    }
    bare = PERFORM.replace('-H "x-ms-blob-type: BlockBlob" ', "")
    assert "<Code>MissingRequiredHeader</Code>" in curl(bare, **named)
    signed = curl(PERFORM, "-H", f"Authorization:Token {lab.legacy_token}", **named)
    assert "<Code>InvalidAuthenticationInfo</Code>" in signed
    assert curl(PERFORM, "--write-out", "%{http_code}", **named) == "201"


def test_the_check_of_the_partner_gets_a_token(lab: CloudLab, curl: Curl) -> None:
    given = {
        "client_id": lab.client_id,
        "client_secret": lab.client_secret,
        "tenant": lab.tenant_id,
    }
    answer = json.loads(curl(SIGN_IN, **given))
    assert claims(answer["access_token"])["roles"] == ["Discovery.manage"]
    by_domain = json.loads(curl(SIGN_IN, **given | {"tenant": "nsslab.onmicrosoft.com"}))
    assert claims(by_domain["access_token"])["tid"] == lab.tenant_id


def test_the_secret_may_be_in_a_header(lab: CloudLab, curl: Curl) -> None:
    command = (
        "curl -u <client_id>:<client_secret> -d grant_type=client_credentials -d scope=<scope> "
        "https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token"
    )
    given = {"client_id": lab.client_id, "tenant": lab.tenant_id, "scope": lab.scope}
    answer = json.loads(curl(command, client_secret=lab.client_secret, **given))
    assert claims(answer["access_token"])["appid"] == lab.client_id
    refused = json.loads(curl(command, client_secret="wrong", **given))  # noqa: S106 - it is wrong
    assert refused["error_codes"] == [7000215]
