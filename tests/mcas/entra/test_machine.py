"""The identity that a virtual machine of Azure has of its own."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nss.https.network import Network
from nss.mcas import SignInRefused, Unreachable
from nss.mcas.credentials import McasCredentials
from nss.mcas.entra import SignIn
from nss.secret import Secret

if TYPE_CHECKING:
    from tests.mcas.entra.conftest import Description, Entra

CLIENT = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-8888-7777-6666-abcdefabcdef"
RESOURCE = "05a65629-4c1b-48c1-a78b-804c4abdd4af"

AS_MACHINE = McasCredentials(
    method="managed_identity", client_id="", authentication_url="", api_url="https://localhost:1"
)


def test_a_machine_signs_in_as_itself(machine: "Entra", network: Network) -> None:
    token = SignIn(AS_MACHINE, network).token()
    assert (token.tenant, token.roles) == (TENANT, ("Discovery.Manage",))
    assert machine.forms == [{"api-version": "2018-02-01", "resource": RESOURCE}]


def test_a_machine_signs_in_as_one_of_its_identities(machine: "Entra", network: Network) -> None:
    SignIn(replace(AS_MACHINE, client_id=CLIENT), network).token()
    assert machine.forms[0]["client_id"] == CLIENT


@pytest.mark.usefixtures("machine")
def test_a_machine_asks_its_identity_service_past_the_proxy(ca_file: Path) -> None:
    network = Network(ca_file=ca_file, proxy=Secret("http://u:sesame@localhost:1"))
    assert SignIn(AS_MACHINE, network).token().tenant == TENANT


def test_a_machine_without_an_identity_is_reported(
    machine: "Entra", network: Network, description: "Description"
) -> None:
    body: dict[str, object] = {
        "error": "invalid_request",
        "error_description": "Identity not found",
    }
    machine.next("machine", body, 400)
    assert description(SignIn(AS_MACHINE, network)) == (
        SignInRefused,
        "managed_identity",
        "Azure gives this machine no token for a managed identity: invalid_request",
        (
            "assign an identity to the virtual machine; with a Client ID, see that it is that of "
            "an identity assigned to it"
        ),
    )


@pytest.mark.parametrize("status", [404, 410])
def test_an_identity_service_that_is_not_ready_is_worth_another_try(
    machine: "Entra", network: Network, status: int, description: "Description"
) -> None:
    machine.next("machine", b"", status)
    sign_in = SignIn(AS_MACHINE, network)
    assert description(sign_in) == (
        Unreachable,
        None,
        f"no managed identity yet: HTTP {status} (the identity service of this machine)",
        None,
    )
    assert sign_in.token().tenant == TENANT


def test_a_machine_without_an_identity_service_is_reported(
    machine: "Entra", network: Network, description: "Description"
) -> None:
    machine.close()
    assert description(SignIn(AS_MACHINE, network)) == (
        Unreachable,
        "managed_identity",
        "no managed identity can be had: there is no answer (the identity service of this machine)",
        (
            "managed identities are for virtual machines of Azure; elsewhere use a Client Secret "
            "or a certificate"
        ),
    )
