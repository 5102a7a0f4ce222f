"""The metadata service, which gives managed identities their tokens."""

import httpx
import jwt
import msal
import pytest
import requests

from nss.lab.cloud import CloudLab

MCAS = "05a65629-4c1b-48c1-a78b-804c4abdd4af"
PATH = "/metadata/identity/oauth2/token"


def ask(
    lab: CloudLab, client: httpx.Client, metadata: str = "true", **changes: str | None
) -> httpx.Response:
    query = {"api-version": "2018-02-01", "resource": MCAS} | changes
    return client.get(
        f"{lab.managed_identity_url}{PATH}",
        params={name: value for name, value in query.items() if value is not None},
        headers={"metadata": metadata},
    )


def test_the_machine_has_an_identity_of_its_own_and_one_of_a_user(
    lab: CloudLab, client: httpx.Client
) -> None:
    answers = [ask(lab, client), ask(lab, client, client_id=lab.identity.client_id)]
    for answer, client_id in zip(
        answers, [lab.identity.system_client_id, lab.identity.client_id], strict=True
    ):
        found = answer.json()
        claims = jwt.decode(found.pop("access_token"), options={"verify_signature": False})
        assert (claims["appid"], claims["roles"]) == (client_id, ["Discovery.manage"])
        assert int(found.pop("expires_on")) - int(found.pop("not_before")) == 86_399
        assert found == {
            "client_id": client_id,
            "expires_in": "86399",
            "ext_expires_in": "86399",
            "resource": MCAS,
            "token_type": "Bearer",
        }


@pytest.mark.parametrize(
    ("metadata", "changes", "error", "description"),
    [
        ("", {}, "invalid_request", "Required metadata header not specified"),
        ("true", {"api-version": None}, "invalid_request", "'api-version' not found"),
        ("true", {"resource": None}, "invalid_request", "'resource' is missing"),
        ("true", {"client_id": "someone"}, "invalid_request", "Identity not found"),
        ("true", {"resource": "https://graph"}, "invalid_resource", "AADSTS500011: "),
    ],
)
def test_what_is_wrong_with_a_request_is_told(
    lab: CloudLab,
    client: httpx.Client,
    metadata: str,
    changes: dict[str, str | None],
    error: str,
    description: str,
) -> None:
    answer = ask(lab, client, metadata, **changes)
    found = answer.json()
    assert (answer.status_code, found["error"]) == (400, error)
    assert description in found["error_description"]


def test_a_machine_may_have_no_identity(lab: CloudLab, client: httpx.Client) -> None:
    lab.identity.is_assigned = False
    assert ask(lab, client).json()["error_description"] == "Identity not found"


def test_msal_signs_in_as_the_machine(lab: CloudLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", lab.managed_identity_url)
    session = requests.Session()
    session.trust_env = False
    identity = msal.ManagedIdentityClient(msal.SystemAssignedManagedIdentity(), http_client=session)
    answer = identity.acquire_token_for_client(resource=MCAS)
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 86_399)
