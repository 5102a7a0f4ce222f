"""Signing in at the lab's Entra: every code that it refuses with, and real mistakes."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nss.https.network import Network
from nss.lab.cloud import CloudLab
from nss.mcas import McasError, SignInRefused, entra_errors
from nss.mcas.credentials import McasCredentials
from nss.mcas.entra import SignIn, require_role
from nss.secret import Secret


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudLab]:
    with CloudLab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def credentials(lab: CloudLab) -> McasCredentials:
    return McasCredentials(
        method="secret",
        client_id=lab.client_id,
        authentication_url=lab.authentication_url,
        api_url=lab.api_url,
        client_secret=Secret(lab.client_secret),
    )


def code(lab: CloudLab, credentials: McasCredentials) -> tuple[str | None, str]:
    """Return the code and the sentence of a refusal; the secret is not in it."""
    with pytest.raises(McasError) as caught:
        SignIn(credentials, Network(ca_file=lab.ca_file)).token()
    assert isinstance(caught.value, SignInRefused)
    assert lab.client_secret not in str(caught.value)
    return caught.value.code, caught.value.sentence


@pytest.mark.parametrize("number", sorted(entra_errors.MEANINGS.keys() - {900144}))
def test_every_code_comes_through_as_its_sentence(
    lab: CloudLab, credentials: McasCredentials, number: int
) -> None:
    lab.entra.refuse(f"AADSTS{number}")
    try:
        found = code(lab, credentials)
    finally:
        lab.entra.refuse(None)
    code_text = f"AADSTS{number}"
    assert found == (code_text, f"{entra_errors.MEANINGS[number].sentence} ({code_text})")


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (
            lambda lab: {"client_secret": Secret(lab.secret_id)},
            "the Client Secret is not the right one (AADSTS7000215)",
        ),
        (
            lambda lab: {"client_id": lab.tenant_id},
            "the Client ID is not known in this tenant (AADSTS700016)",
        ),
        (
            lambda lab: {
                "authentication_url": lab.authentication_url.replace(lab.tenant_id, lab.client_id)
            },
            "the tenant in the Authentication URL does not exist (AADSTS90002)",
        ),
        (
            lambda lab: {"scope": f"{lab.client_id}/.default"},
            "the Scope names a service that this tenant does not have (AADSTS500011)",
        ),
    ],
)
def test_a_mistake_is_reported(
    lab: CloudLab,
    credentials: McasCredentials,
    mistake: Callable[[CloudLab], dict[str, object]],
    sentence: str,
) -> None:
    changed = replace(credentials, **mistake(lab))  # type: ignore[arg-type]
    assert code(lab, changed)[1] == sentence


def test_right_credentials_are_good_for_uploads(
    lab: CloudLab, credentials: McasCredentials
) -> None:
    token = SignIn(credentials, Network(ca_file=lab.ca_file)).token()
    require_role(token)
    assert (token.tenant, token.app_id) == (lab.tenant_id, lab.client_id)
    assert 0 < token.expires_at - time.time() <= lab.entra.token_secs


def test_a_machine_signs_in_as_itself(
    lab: CloudLab, credentials: McasCredentials, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", lab.managed_identity_url)
    machine = replace(credentials, method="managed_identity", client_id="", authentication_url="")
    nothing_trusted = Network(ca_file=tmp_path / "none.pem")
    require_role(SignIn(machine, nothing_trusted).token())
