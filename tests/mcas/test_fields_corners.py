"""Answers at the edge of what is right: lengths, casing, and one character too many."""

from collections.abc import Callable

import pytest

from nss.answers import BadAnswer
from nss.mcas import fields

CLIENT = "aBcDeF12-3456-7890-AbCd-eFaBcDeFaBcD"
API = "https://contoso.us3.portal.cloudappsecurity.com"
LOGIN = "https://login.microsoftonline.com"
USUAL = "05a65629-4c1b-48c1-a78b-804c4abdd4af/.default"


def test_a_secret_may_have_from_16_to_4096_characters() -> None:
    lengths = (16, 4096)
    for length in lengths:
        assert fields.client_secret("x~" * (length // 2)).reveal() == "x~" * (length // 2)
    with pytest.raises(BadAnswer, match="too short"):
        fields.client_secret("x~" * (lengths[0] // 2 - 1))
    with pytest.raises(BadAnswer, match="too long"):
        fields.client_secret("x~" * (lengths[1] // 2) + "x")


@pytest.mark.parametrize("typed", [CLIENT, CLIENT.lower(), CLIENT.upper()])
@pytest.mark.parametrize("known", [CLIENT, CLIENT.lower(), CLIENT.upper()])
def test_the_client_id_is_known_again_in_any_casing(typed: str, known: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        fields.client_secret(typed, known)
    assert caught.value.sentence == "the Client Secret is the same as the Client ID"
    with pytest.raises(BadAnswer) as caught:
        fields.authentication_url(f"{LOGIN}/{typed}", known)
    assert caught.value.sentence == (
        "the Authentication URL has the Client ID instead of your tenant"
    )


@pytest.mark.parametrize("typed", ["", " ", '""', "''", ' " " '])
def test_nothing_typed_is_the_usual_scope(typed: str) -> None:
    assert fields.scope(typed) == USUAL


@pytest.mark.parametrize(
    ("read", "typed", "sentence"),
    [
        (fields.scope, f"{USUAL}X", "the Scope is not of the form RESOURCE/.default"),
        (
            fields.authentication_url,
            f"{LOGIN}/x.example/oauth2/v2.0/tokenX",
            "the Authentication URL has an unknown path after the tenant",
        ),
        (
            fields.authentication_url,
            f"{LOGIN}/x.exampleX/oauth2",
            "the Authentication URL has an unknown path after the tenant",
        ),
        (fields.authentication_url, f"{LOGIN}/v2.0/", "the Authentication URL has no tenant"),
        (fields.authentication_url, f"{LOGIN}/oauth2/", "the Authentication URL has no tenant"),
        (fields.api_url, f"{API}/X", "the API URL has a path after the host"),
        (fields.api_url, f"{API}/x://y", "the API URL has a path after the host"),
    ],
)
def test_one_character_too_many_is_noticed(
    read: Callable[[str], str], typed: str, sentence: str
) -> None:
    with pytest.raises(BadAnswer) as caught:
        read(typed)
    assert caught.value.sentence == sentence


def test_a_tenant_may_begin_with_any_letter() -> None:
    found = fields.authentication_url(f"{LOGIN}/Xenon.example")
    assert found == f"{LOGIN}/xenon.example/oauth2/v2.0/token"


@pytest.mark.parametrize("host", ["localhost", "mcas.localhost", "127.0.0.1"])
def test_this_machine_may_be_the_lab(host: str) -> None:
    assert fields.api_url(f"https://{host}:8443") == f"https://{host}:8443"


def test_an_answer_may_be_bad_without_anything_to_do_about_it() -> None:
    assert BadAnswer("the certificate is missing", field="certificate").tip == ""
