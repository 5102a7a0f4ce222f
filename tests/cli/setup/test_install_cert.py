"""`nss install-cert`: what is stored, and what is refused."""

import datetime as dt
import json
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import load_pem_x509_certificate

from tests.cli.conftest import Nss

pytestmark = pytest.mark.long


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    (tmp_path / "nss.toml").write_text(f'[service]\nstate_directory = "{folder}"\n')
    return folder


@pytest.fixture
def issued(tmp_path: Path) -> trustme.LeafCert:
    made = trustme.CA().issue_cert("nss.example.com")
    made.private_key_pem.write_to_path(str(tmp_path / "own.key"))
    for blob in made.cert_chain_pems:
        blob.write_to_path(str(tmp_path / "own.pem"), append=True)
    return made


def install(nss: Nss, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return nss("install-cert", "--config", "nss.toml", *arguments)


@pytest.mark.usefixtures("issued")
def test_pem_and_its_key_are_stored_for_the_service_alone(nss: Nss, state: Path) -> None:
    ran = install(nss, "own.pem", "--key", "own.key", "--json")
    assert ran.returncode == 0, ran.stderr
    shown = json.loads(ran.stdout)
    files = [state / "certificates" / name for name in ("server.pem", "server.key")]
    assert (shown["names"], shown["files"]) == (["nss.example.com"], [str(path) for path in files])
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600, 0o600]
    assert stat.S_IMODE(files[0].parent.stat().st_mode) == 0o700
    assert b"PRIVATE KEY" in files[1].read_bytes()
    assert b"PRIVATE" not in ran.stdout + ran.stderr
    assert "install-cert" in (state / "audit.log").read_text()


def test_a_zip_is_searched_and_its_paths_go_nowhere(
    nss: Nss, state: Path, tmp_path: Path, issued: trustme.LeafCert
) -> None:
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.writestr("../../outside.pem", issued.cert_chain_pems[0].bytes())
        archive.writestr("client.key", issued.private_key_pem.bytes())
        archive.writestr("README.txt", "nothing")
    ran = install(nss, "bundle.zip", "--name", "gateway")
    assert ran.returncode == 0, ran.stderr
    stored = sorted(path.name for path in tmp_path.rglob("*.pem") if path.name != "own.pem")
    assert stored == ["gateway.pem"]
    assert f'tls_key = "{state}/certificates/gateway.key"'.encode() in ran.stdout


def test_a_pfx_needs_its_passphrase(
    nss: Nss, state: Path, tmp_path: Path, issued: trustme.LeafCert
) -> None:
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    assert isinstance(key, (RSAPrivateKey, EllipticCurvePrivateKey))
    certificate = load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
    data = pkcs12.serialize_key_and_certificates(
        b"nss", key, certificate, None, serialization.BestAvailableEncryption(b"open sesame")
    )
    (tmp_path / "own.pfx").write_bytes(data)
    (tmp_path / "passphrase").write_text("open sesame\n")
    assert install(nss, "own.pfx").returncode == 65
    ran = install(nss, "own.pfx", "--passphrase-file", "passphrase")
    assert ran.returncode == 0, ran.stderr
    assert (state / "certificates" / "server.key").exists()


def test_authorities_need_no_key(nss: Nss, state: Path, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    assert install(nss, "ca.pem").returncode == 65
    ran = install(nss, "ca.pem", "--ca", "--name", "collectors")
    assert ran.returncode == 0, ran.stderr
    assert f'tls_ca = "{state}/certificates/collectors.pem"'.encode() in ran.stdout


@pytest.mark.usefixtures("issued")
def test_a_key_of_another_certificate_is_refused(nss: Nss, state: Path, tmp_path: Path) -> None:
    other = trustme.CA().issue_cert("other.example.com")
    other.private_key_pem.write_to_path(str(tmp_path / "other.key"))
    ran = install(nss, "own.pem", "--key", "other.key")
    assert ran.returncode == 65
    assert b"belongs to another certificate" in ran.stderr
    assert list(state.iterdir()) == []


def test_an_expired_certificate_is_refused(nss: Nss, state: Path, tmp_path: Path) -> None:
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = trustme.CA().issue_cert("nss.example.com", not_before=past, not_after=past)
    made.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "old.pem"))
    ran = install(nss, "old.pem")
    assert ran.returncode == 65
    assert b"was valid until 2020-01-01" in ran.stderr
    assert list(state.iterdir()) == []


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"PK\x03\x04 no zip",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n",
        b"\0" * 2_000_000,
    ],
    ids=["empty", "text", "zip", "half a certificate", "too long"],
)
def test_what_is_no_certificate_is_refused(nss: Nss, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    assert install(nss, "file").returncode == 65


@pytest.mark.usefixtures("state", "issued")
def test_a_name_stays_in_its_folder(nss: Nss) -> None:
    assert install(nss, "own.pem", "--key", "own.key", "--name", "../evil").returncode == 64
