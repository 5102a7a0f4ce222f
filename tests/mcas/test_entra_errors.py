"""Every refusal of Entra, as the sentence that names what to fix."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.mcas import McasError, entra_errors

CONSENT = (
    "in Entra, API permissions of the application: add Microsoft Cloud App Security, application "
    "permission Discovery.manage, and grant admin consent"
)
TENANT_ID = "copy the Directory (tenant) ID from the application's Overview page in Entra"
SCOPE = "use the usual Scope, 05a65629-4c1b-48c1-a78b-804c4abdd4af/.default"
UPLOAD = (
    "upload its public part under Certificates & secrets of the application with this Client ID"
)
EVERYTHING = "run nss configure-mcas2 and answer everything"

ROWS = [
    (
        7000215,
        "invalid_client",
        "client_secret",
        "the Client Secret is not the right one (AADSTS7000215)",
        "paste the secret's Value, not its ID; if it is not known any more, make a new secret",
    ),
    (
        7000222,
        "invalid_client",
        "client_secret",
        "the Client Secret has expired (AADSTS7000222)",
        (
            "make a new secret in Entra, Certificates & secrets of the application, and store it: "
            "sudo nss configure-mcas2"
        ),
    ),
    (
        700016,
        "unauthorized_client",
        "client_id",
        "the Client ID is not known in this tenant (AADSTS700016)",
        "see that Client ID and Authentication URL are of the same tenant",
    ),
    (
        90002,
        "invalid_request",
        "authentication_url",
        "the tenant in the Authentication URL does not exist (AADSTS90002)",
        TENANT_ID,
    ),
    (
        900023,
        "invalid_request",
        "authentication_url",
        "the tenant in the Authentication URL is neither an ID nor a domain (AADSTS900023)",
        TENANT_ID,
    ),
    (
        500011,
        "invalid_resource",
        "scope",
        "the Scope names a service that this tenant does not have (AADSTS500011)",
        (
            f"{SCOPE}; see that Defender for Cloud Apps is set up in the tenant, and that the "
            "Authentication URL is of its cloud"
        ),
    ),
    (
        7000229,
        "invalid_client",
        "client_id",
        "the application of the Client ID is not installed in this tenant (AADSTS7000229)",
        "grant admin consent under API permissions of the application: that installs it",
    ),
    (
        501051,
        "invalid_grant",
        "role",
        (
            "the application of the Client ID has no role in the service that the Scope names "
            "(AADSTS501051)"
        ),
        CONSENT,
    ),
    (
        65001,
        "invalid_grant",
        "role",
        (
            "an administrator has not consented to the permissions of the Client ID's application "
            "(AADSTS65001)"
        ),
        CONSENT,
    ),
    (
        1002012,
        "invalid_scope",
        "scope",
        "the Scope does not end in /.default (AADSTS1002012)",
        SCOPE,
    ),
    (70011, "invalid_scope", "scope", "the Scope is not valid (AADSTS70011)", SCOPE),
    (
        900144,
        "invalid_request",
        None,
        "a part of the sign-in is missing (AADSTS900144)",
        EVERYTHING,
    ),
    (
        700027,
        "invalid_client",
        "certificate",
        "the certificate does not belong to the Client ID's application (AADSTS700027)",
        UPLOAD,
    ),
    (
        700213,
        "invalid_client",
        "certificate",
        (
            "the certificate matches no federated identity of the Client ID's application "
            "(AADSTS700213)"
        ),
        UPLOAD,
    ),
    (
        700024,
        "invalid_client",
        "clock",
        "the clock of this machine is wrong, so that the sign-in is not valid now (AADSTS700024)",
        "set the clock, for example with timedatectl set-ntp true",
    ),
    (
        1000502,
        "invalid_client",
        "certificate",
        "the certificate is not valid now: it has expired, or begins later (AADSTS1000502)",
        f"see that the clock is right; otherwise renew the certificate, and {UPLOAD}",
    ),
    (
        7000214,
        "invalid_client",
        "certificate",
        "the certificate was revoked (AADSTS7000214)",
        f"make a new certificate, and {UPLOAD}",
    ),
    (
        7000274,
        "invalid_client",
        "certificate",
        "the sign-in is not signed with the key of the certificate (AADSTS7000274)",
        f"make a new certificate, and {UPLOAD}",
    ),
    (
        7000277,
        "invalid_client",
        "certificate",
        "the certificate was revoked (AADSTS7000277)",
        f"make a new certificate, and {UPLOAD}",
    ),
    (
        7000112,
        "unauthorized_client",
        "client_id",
        "the application of the Client ID is disabled (AADSTS7000112)",
        "enable it in Entra under Enterprise applications, Properties",
    ),
]
"""Number, `error`, and what becomes of it: the field, the sentence, the tip."""


def answer(number: int, error: str, text: str = "words of Entra") -> dict[str, object]:
    """Return what the token endpoint answers with."""
    return {
        "error": error,
        "error_description": f"AADSTS{number}: {text} Trace ID: x Timestamp: 2026-11-24",
        "error_codes": [number],
        "trace_id": "x",
        "error_uri": f"https://login.microsoftonline.com/error?code={number}",
    }


def parts(refused: McasError) -> tuple[str | None, str, str | None]:
    return refused.field, refused.sentence, refused.tip


@pytest.mark.parametrize(("number", "error", "field", "sentence", "tip"), ROWS)
def test_every_known_code_has_its_sentence(
    number: int, error: str, field: str | None, sentence: str, tip: str
) -> None:
    refused = entra_errors.refusal(answer(number, error))
    assert parts(refused) == (field, sentence, tip)
    assert refused.code == f"AADSTS{number}"
    assert str(refused) == f"{sentence}\nTry: {tip}"


def test_every_meaning_is_tested_here() -> None:
    assert sorted(entra_errors.MEANINGS) == sorted(row[0] for row in ROWS)


@pytest.mark.parametrize(("number", "error", "field", "sentence", "tip"), ROWS)
def test_the_code_is_found_in_the_description_too(
    number: int, error: str, field: str | None, sentence: str, tip: str
) -> None:
    found = answer(number, error)
    del found["error_codes"]
    assert parts(entra_errors.refusal(found)) == (field, sentence, tip)


@pytest.mark.parametrize(
    ("part", "field", "what"),
    [
        ("client_id", "client_id", "the Client ID"),
        ("client_secret", "client_secret", "the Client Secret"),
        ("client_assertion", "certificate", "the certificate"),
        ("scope", "scope", "the Scope"),
        ("resource", "scope", "the Scope"),
    ],
)
def test_a_missing_part_is_named(part: str, field: str, what: str) -> None:
    text = f"The request body must contain the following parameter: '{part}'."
    refused = entra_errors.refusal(answer(900144, "invalid_request", text))
    assert parts(refused) == (field, f"{what} is missing in the sign-in (AADSTS900144)", EVERYTHING)


@pytest.mark.parametrize(
    ("error", "field", "sentence"),
    [
        (
            "invalid_client",
            "client_secret",
            "Entra refuses the Client ID or the Client Secret: invalid_client (AADSTS7999999)",
        ),
        (
            "unauthorized_client",
            "client_id",
            "Entra refuses the Client ID: unauthorized_client (AADSTS7999999)",
        ),
        ("invalid_scope", "scope", "Entra refuses the Scope: invalid_scope (AADSTS7999999)"),
        ("invalid_resource", "scope", "Entra refuses the Scope: invalid_resource (AADSTS7999999)"),
        (
            "invalid_tenant",
            "authentication_url",
            "Entra refuses the Authentication URL: invalid_tenant (AADSTS7999999)",
        ),
        ("invalid_grant", None, "Entra refuses the sign-in: invalid_grant (AADSTS7999999)"),
    ],
)
def test_an_unknown_code_is_shown_with_its_error(
    error: str, field: str | None, sentence: str
) -> None:
    tip = "look the code up at https://login.microsoftonline.com/error?code=7999999"
    assert parts(entra_errors.refusal(answer(7999999, error))) == (field, sentence, tip)


def test_an_error_without_a_code_is_shown_by_its_name() -> None:
    refused = entra_errors.refusal({"error": "access_denied"})
    assert parts(refused) == (
        None,
        "Entra refuses the sign-in: access_denied",
        "see the sign-in logs of the application in Entra",
    )
    assert refused.code == "access_denied"


def test_with_a_certificate_no_secret_is_blamed() -> None:
    refused = entra_errors.refusal(answer(7999999, "invalid_client"), method="certificate")
    assert (refused.field, refused.sentence) == (
        "certificate",
        "Entra refuses the Client ID or the certificate: invalid_client (AADSTS7999999)",
    )


def test_a_machine_without_an_identity_is_reported() -> None:
    found = {"error": "invalid_request", "error_description": "Identity not found"}
    refused = entra_errors.refusal(found, method="managed_identity")
    assert parts(refused) == (
        "managed_identity",
        "Azure gives this machine no token for a managed identity: invalid_request",
        (
            "assign an identity to the virtual machine; with a Client ID, see that it is that of "
            "an identity assigned to it"
        ),
    )


def test_a_resource_that_azure_does_not_know_is_the_scope() -> None:
    refused = entra_errors.refusal({"error": "invalid_resource"}, method="managed_identity")
    assert (refused.field, refused.sentence) == (
        "scope",
        "the Scope names a service that this tenant does not have",
    )


@pytest.mark.parametrize("error", ["x" * 41, "<b>", "a b", "", 7, None, ["invalid_client"]])
def test_an_error_that_makes_no_sense_is_not_quoted(error: object) -> None:
    assert entra_errors.refusal({"error": error}).sentence == "Entra refuses the sign-in: error"


@pytest.mark.parametrize("codes", [[], ["7000215"], [True], [-7000215], [10**12], [None], 7000215])
def test_codes_that_make_no_sense_are_not_quoted(codes: object) -> None:
    refused = entra_errors.refusal({"error": "invalid_grant", "error_codes": codes})
    assert (refused.sentence, refused.code) == (
        "Entra refuses the sign-in: invalid_grant",
        "invalid_grant",
    )


@given(
    st.dictionaries(
        st.sampled_from(["error", "error_codes", "error_description"]),
        st.one_of(st.none(), st.integers(), st.text(), st.lists(st.integers() | st.text())),
    )
)
def test_whatever_comes_is_one_printable_sentence(error: dict[str, object]) -> None:
    for method in ("secret", "certificate", "managed_identity"):
        refused = entra_errors.refusal(error, method=method)
        assert refused.sentence.isascii()
        assert refused.sentence.isprintable()
        assert len(refused.sentence) < 150
