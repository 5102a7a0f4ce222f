"""A certificate instead of a secret: every form of its files, and what is wrong with them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import load_pem_x509_certificate

from nss.https.network import Network
from nss.mcas import SignInRefused
from nss.mcas.entra import SignIn
from nss.secret import Secret

if TYPE_CHECKING:
    from tests.mcas.entra.conftest import Description, Entra, Failure

CLIENT = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-8888-7777-6666-abcdefabcdef"
CLOCK_TIP = "set the clock, for example with timedatectl set-ntp true"
FORMS_TIP = (
    "give a PEM file with the certificate and its key, a PEM file for each, or a PFX file with both"
)

Bad = Callable[..., tuple[str, str | None]]


@dataclass(frozen=True)
class Certificates:
    """Files of one certificate, in every form."""

    both: Path
    certificate: Path
    key: Path
    locked: Path
    pfx: Path
    leaf: trustme.LeafCert


PHRASE = "open sesame"


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    leaf = trustme.CA().issue_cert("nss.example", key_type=trustme.KeyType.RSA)
    pem, key_pem = leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes()
    key = load_pem_private_key(key_pem, None)
    assert isinstance(key, RSAPrivateKey)
    lock = BestAvailableEncryption(PHRASE.encode())
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
    certificate = load_pem_x509_certificate(pem)
    pfx = pkcs12.serialize_key_and_certificates(b"nss", key, certificate, None, lock)
    written = {"both": key_pem + pem, "certificate": pem, "key": key_pem, "locked": locked}
    for name, data in (written | {"pfx": pfx}).items():
        (folder / name).write_bytes(data)
    return Certificates(**{name: folder / name for name in written}, pfx=folder / "pfx", leaf=leaf)


def test_every_form_of_a_certificate_signs_in(
    entra: "Entra", network: Network, certificates: Certificates
) -> None:
    phrase = Secret(PHRASE)
    both = entra.by_certificate(certificates.both)
    apart = replace(both, certificate=certificates.certificate)
    public = load_pem_x509_certificate(certificates.certificate.read_bytes()).public_key()
    for credentials in (
        both,
        replace(both, passphrase=phrase),  # superfluous
        replace(apart, private_key=certificates.key),
        replace(apart, private_key=certificates.locked, passphrase=phrase),
        replace(both, certificate=certificates.pfx, passphrase=phrase),
    ):
        assert SignIn(credentials, network).token().tenant == TENANT
    for form in entra.forms:
        claims = jwt.decode(
            form["client_assertion"],
            public,  # type: ignore[arg-type]  # RSA, we made it
            ["PS256"],
            audience=entra.token_url,
        )
        assert (claims["iss"], claims["sub"], "client_secret" in form) == (CLIENT, CLIENT, False)
    assert len(entra.forms) == 5


@pytest.fixture
def bad(entra: "Entra", network: Network, failure: "Failure") -> Bad:
    """Return what returns the sentence and the tip of a certificate that is no good."""

    def find(certificate: Path | None = None, **more: Any) -> tuple[str, str | None]:  # noqa: ANN401 - of the credentials
        error = failure(SignIn(entra.by_certificate(certificate, **more), network))
        assert (type(error), error.field, entra.requests) == (SignInRefused, "certificate", [])
        return error.sentence, error.tip

    return find


def test_a_certificate_that_can_not_be_read_is_reported(
    bad: Bad, tmp_path: Path, certificates: Certificates
) -> None:
    tip = "name files that are there and that the user nss runs as may read"
    gone, long = tmp_path / "gone.pem", tmp_path / "long.pem"
    long.write_bytes(b"x" * 1_100_000)
    assert [
        bad(),
        bad(certificate=gone),
        bad(certificate=tmp_path),
        bad(certificate=long),
        bad(certificate=certificates.certificate, private_key=gone),
    ] == [
        ("the certificate is missing", "run: sudo nss configure-mcas2"),
        (f"the certificate can't be read: no such file or directory ({gone})", tip),
        (f"the certificate can't be read: it is not a regular file ({tmp_path})", tip),
        (f"the certificate can't be read: it has more than 1048576 bytes ({long})", tip),
        (f"the certificate can't be read: no such file or directory ({gone})", tip),
    ]


def test_a_certificate_that_can_not_be_used_is_reported(
    bad: Bad, tmp_path: Path, certificates: Certificates
) -> None:
    alone, key, locked, pfx = (
        certificates.certificate,
        certificates.key,
        certificates.locked,
        certificates.pfx,
    )
    wrong = Secret("open barley")
    text = tmp_path / "text.pem"
    text.write_bytes(b"no certificate")
    damaged = tmp_path / "damaged.pem"
    damaged.write_bytes(key.read_bytes().replace(b"A", b"B"))
    reason = "the certificate can't be used:"
    lock_tip = "give the passphrase of the private key"
    neither = "the file is neither PEM nor a PFX file that this passphrase opens"
    assert [
        bad(certificate=alone),
        bad(certificate=key),
        bad(certificate=alone, private_key=text),
        bad(certificate=alone, private_key=damaged),
        bad(certificate=alone, private_key=locked),
        bad(certificate=alone, private_key=locked, passphrase=wrong),
        bad(certificate=pfx),
        bad(certificate=pfx, passphrase=wrong),
        bad(certificate=text),
    ] == [
        (f"{reason} there is no private key in the file ({alone})", FORMS_TIP),
        (f"{reason} there is none in the file ({key})", FORMS_TIP),
        (f"{reason} there is no private key in the file ({text})", FORMS_TIP),
        (f"{reason} there is no private key in the file ({damaged})", FORMS_TIP),
        (f"{reason} its passphrase is missing or wrong ({locked})", lock_tip),
        (f"{reason} its passphrase is missing or wrong ({locked})", lock_tip),
        (f"{reason} {neither} ({pfx})", f"{FORMS_TIP}, and its passphrase"),
        (f"{reason} {neither} ({pfx})", f"{FORMS_TIP}, and its passphrase"),
        (f"{reason} {neither} ({text})", f"{FORMS_TIP}, and its passphrase"),
    ]


def test_a_key_that_does_not_go_with_the_certificate_is_reported(
    bad: Bad, tmp_path: Path, certificates: Certificates
) -> None:
    other, curve = tmp_path / "other.key", tmp_path / "curve.pem"
    issued = trustme.CA().issue_cert("nss.example", key_type=trustme.KeyType.RSA)
    other.write_bytes(issued.private_key_pem.bytes())
    trustme.CA().issue_cert("nss.example").private_key_and_cert_chain_pem.write_to_path(str(curve))
    alone = certificates.certificate
    assert [
        bad(certificate=alone, private_key=other),
        bad(certificate=curve),
    ] == [
        (
            f"the certificate can't be used: the private key is that of another ({alone})",
            "give the key that the certificate was made with",
        ),
        (
            f"the certificate can't be used: its key is not an RSA key ({curve})",
            "make a certificate with an RSA key of 2048 bits or more: Entra accepts no other",
        ),
    ]


def test_a_pfx_file_without_a_key_is_reported(
    bad: Bad, tmp_path: Path, certificates: Certificates
) -> None:
    path = tmp_path / "nokey.pfx"
    certificate = load_pem_x509_certificate(certificates.certificate.read_bytes())
    path.write_bytes(
        pkcs12.serialize_key_and_certificates(None, None, certificate, None, NoEncryption())
    )
    sentence, _ = bad(certificate=path)
    reason = "there is no private key in the file"
    assert sentence == f"the certificate can't be used: {reason} ({path})"


def test_a_pfx_file_without_a_certificate_is_reported(
    bad: Bad, tmp_path: Path, certificates: Certificates
) -> None:
    path = tmp_path / "only-a-key.pfx"
    key = load_pem_private_key(certificates.key.read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    path.write_bytes(pkcs12.serialize_key_and_certificates(None, key, None, None, NoEncryption()))
    reason = "there is no certificate in the file"
    assert bad(certificate=path) == (
        f"the certificate can't be used: {reason} ({path})",
        FORMS_TIP,
    )


def test_a_signature_refused_at_the_right_time_is_the_certificate(
    entra: "Entra", network: Network, certificates: Certificates, failure: "Failure"
) -> None:
    entra.refuse("token", 700027)
    entra.refuse("token", 700027)
    error = failure(SignIn(entra.by_certificate(certificates.both), network))
    assert (error.field, error.code) == ("certificate", "AADSTS700027")


def test_a_secret_refused_at_a_wrong_time_is_the_secret(
    entra: "Entra", network: Network, failure: "Failure"
) -> None:
    entra.refuse("token", 7000222)
    error = failure(SignIn(entra.by_secret, network, now=lambda: time.time() + 900))
    assert (error.field, error.code) == ("client_secret", "AADSTS7000222")


def test_a_signature_refused_at_a_wrong_time_is_the_clock(
    entra: "Entra", network: Network, certificates: Certificates, description: "Description"
) -> None:
    entra.refuse("token", 700027)
    entra.refuse("token", 700027)
    credentials = entra.by_certificate(certificates.both)
    assert description(SignIn(credentials, network, now=lambda: time.time() + 900)) == (
        SignInRefused,
        "clock",
        "the clock of this machine is wrong, so that the sign-in is not valid now (AADSTS700024)",
        CLOCK_TIP,
    )


RENEWED_CODES = (700027, 700024, 7000214, 1000502, 7000274, 7000277)


@pytest.mark.parametrize("number", RENEWED_CODES)
def test_files_that_were_renewed_are_read_again_and_tried_once_more(
    entra: "Entra", network: Network, certificates: Certificates, tmp_path: Path, number: int
) -> None:
    """Between the last sign-in and this one, with a token about to expire."""
    path = tmp_path / "app.pem"
    path.write_bytes(certificates.both.read_bytes())
    entra.token_secs = 60  # msal asks again each time
    sign_in = SignIn(entra.by_certificate(path), network)
    sign_in.token()
    renewed = trustme.CA().issue_cert("nss.example", key_type=trustme.KeyType.RSA)
    path.write_bytes(renewed.private_key_and_cert_chain_pem.bytes())
    entra.refuse("token", number)
    assert sign_in.token().tenant == TENANT
    public = load_pem_x509_certificate(renewed.cert_chain_pems[0].bytes()).public_key()
    jwt.decode(
        entra.forms[-1]["client_assertion"],
        public,  # type: ignore[arg-type]  # RSA, we made it
        ["PS256"],
        audience=entra.token_url,
    )


@pytest.mark.parametrize("number", RENEWED_CODES)
def test_the_second_refusal_is_final(
    entra: "Entra",
    network: Network,
    certificates: Certificates,
    failure: "Failure",
    number: int,
) -> None:
    for _ in range(2):
        entra.refuse("token", number)
    error = failure(SignIn(entra.by_certificate(certificates.both), network))
    assert (error.code, entra.requests.count("POST token")) == (f"AADSTS{number}", 2)
    assert error.field in {"certificate", "clock"}
    assert error.tip


def test_files_that_are_gone_by_then_are_reported(
    entra: "Entra", network: Network, certificates: Certificates, failure: "Failure", tmp_path: Path
) -> None:
    path = tmp_path / "app.pem"
    path.write_bytes(certificates.both.read_bytes())
    entra.token_secs = 60
    sign_in = SignIn(entra.by_certificate(path), network)
    sign_in.token()
    path.unlink()
    entra.refuse("token", 700027)
    assert "can't be read: no such file or directory" in failure(sign_in).sentence


@pytest.mark.parametrize("number", [7000222, 7000215, 700016])
def test_what_other_files_would_not_change_is_asked_once(
    entra: "Entra", network: Network, certificates: Certificates, failure: "Failure", number: int
) -> None:
    entra.refuse("token", number)
    failure(SignIn(entra.by_certificate(certificates.both), network))
    assert entra.requests.count("POST token") == 1


def test_a_secret_has_no_files_to_read_again(
    entra: "Entra", network: Network, failure: "Failure"
) -> None:
    entra.refuse("token", 7000214)
    failure(SignIn(entra.by_secret, network))
    assert entra.requests.count("POST token") == 1


def test_a_certificate_refused_after_its_end_has_expired(
    entra: "Entra", network: Network, failure: "Failure", tmp_path: Path
) -> None:
    """Whatever Entra's code says: for an expired key that is often 700027."""
    path = tmp_path / "app.pem"
    ended = datetime.now(UTC) - timedelta(hours=1)
    issued = trustme.CA().issue_cert(
        "nss.example",
        key_type=trustme.KeyType.RSA,
        not_before=ended - timedelta(days=1),
        not_after=ended,
    )
    path.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    for _ in range(2):
        entra.refuse("token", 700027)
    error = failure(SignIn(entra.by_certificate(path), network))
    assert (error.field, error.code) == ("certificate", "AADSTS1000502")
    assert "it has expired" in error.sentence
