"""TLS contexts are made of ordinary files alone, and nothing is ever asked at a terminal."""

import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from nss.errors import NssError
from nss.tls import client_context, server_context
from tests.cli.conftest import COMMAND, ENV

Use = Callable[[Path, Path, Path], ssl.SSLContext | None]

USES: dict[str, Use] = {
    "listener": lambda ca, certificate, key: server_context("source tcp", certificate, key, ca),
    "connection": client_context,
}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Authorities, a certificate and its key."""
    authority = trustme.CA()
    issued = authority.issue_cert("nss.example.com")
    paths = tmp_path / "ca.pem", tmp_path / "own.pem", tmp_path / "own.key"
    authority.cert_pem.write_to_path(paths[0])
    issued.cert_chain_pems[0].write_to_path(paths[1])
    issued.private_key_pem.write_to_path(paths[2])
    return paths


@pytest.mark.parametrize("use", USES)
def test_the_files_are_used(files: tuple[Path, Path, Path], use: str) -> None:
    # Text around certificates is no reason to refuse them.
    files[0].write_text(f"# Autorité de Lyon\n{files[0].read_text()}\n# fin\n")
    context = USES[use](*files)
    assert context is not None
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize("use", USES)
def test_one_file_may_hold_certificate_and_key(files: tuple[Path, Path, Path], use: str) -> None:
    ca, certificate, key = files
    certificate.write_bytes(certificate.read_bytes() + key.read_bytes())
    assert USES[use](ca, certificate, certificate) is not None


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("number", range(3))
def test_what_is_no_ordinary_file_is_refused_with_a_sentence(
    files: tuple[Path, Path, Path], use: str, number: int
) -> None:
    path = files[number]
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(NssError, match="a file is not a regular file"):
        USES[use](*files)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(NssError, match="a file is not a regular file"):
        USES[use](*files)
    path.unlink()
    path.write_bytes(b"-" * (1 << 20) + b"-")
    with pytest.raises(NssError, match="a file has more than 1048576 bytes"):
        USES[use](*files)


def encrypted(key: Path) -> None:
    """Give a key a password."""
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"open sesame"),
        )
    )


@pytest.mark.parametrize("use", USES)
def test_an_encrypted_key_is_refused_with_a_sentence(
    files: tuple[Path, Path, Path], use: str
) -> None:
    encrypted(files[2])
    with pytest.raises(NssError) as caught:
        USES[use](*files)
    reason = "the private key is encrypted; it must be a key without password"
    assert (
        str(caught.value)
        == {
            "listener": f"source tcp: TLS can't be set up: {reason}\n",
            "connection": f"using a certificate failed: {reason} ({files[1]}, {files[2]})\n",
        }[use]
        + "Try: run nss check: it says what is wrong with each file"
    )


def test_a_listener_serves_and_a_connection_checks_the_name(files: tuple[Path, Path, Path]) -> None:
    ca, certificate, key = files
    usual = ssl.create_default_context()
    for client in (client_context(), client_context(ca), client_context(*files)):
        assert (client.protocol, client.check_hostname) == (ssl.PROTOCOL_TLS_CLIENT, True)
        assert client.options == usual.options | ssl.OP_NO_RENEGOTIATION
        assert client.minimum_version == ssl.TLSVersion.TLSv1_2
    for client_ca, verify_mode in ((None, ssl.CERT_NONE), (ca, ssl.CERT_REQUIRED)):
        server = server_context("source tcp", certificate, key, client_ca)
        assert server is not None
        assert (server.protocol, server.verify_mode) == (ssl.PROTOCOL_TLS_SERVER, verify_mode)


def test_authorities_that_are_none_are_an_error(files: tuple[Path, Path, Path]) -> None:
    files[0].write_text("no certificate")
    with pytest.raises(NssError) as caught:
        client_context(files[0])
    assert str(caught.value) == (
        f"using authorities failed: TLS: no certificate or crl found ({files[0]})\n"
        "Try: run nss check: it says what is wrong with each file"
    )


ASKS_NOBODY = """
from pathlib import Path
from nss.tls import client_context, server_context
ca, certificate, key = map(Path, ("ca.pem", "own.pem", "own.key"))
for use in (lambda: server_context("source tcp", certificate, key, ca),
            lambda: client_context(ca, certificate, key)):
    try:
        use()
    except Exception as error:
        print(error)
print("the end")
"""


def test_at_a_terminal_no_password_is_asked_for(files: tuple[Path, Path, Path]) -> None:
    encrypted(files[2])
    terminal = pexpect.spawn(COMMAND[0], ["-c", ASKS_NOBODY], cwd=files[0].parent, env=ENV)
    try:
        assert terminal.expect(["the end", "pass phrase", pexpect.EOF], timeout=20) == 0
    finally:
        terminal.close(force=True)
