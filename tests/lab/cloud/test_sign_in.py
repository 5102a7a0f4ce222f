"""Entra: discovery and the token endpoint, in both forms, and what it refuses."""

from urllib.parse import quote

import httpx
import jwt
import pytest

from nss.lab.cloud import CloudLab
from nss.lab.cloud.aadsts import REFUSALS
from tests.lab.cloud.signing_in import UNKNOWN, claims, fields, msal_client, refusal

MCAS = "05a65629-4c1b-48c1-a78b-804c4abdd4af"


@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize("version", ["", "/v2.0"])
def test_discovery_names_the_endpoints_of_its_form(
    lab: CloudLab, client: httpx.Client, version: str, end: str
) -> None:
    base = f"{lab.entra_url}/{lab.tenant_id}"
    found = client.get(f"{base}{version}/.well-known/openid-configuration{end}").json()
    assert found["token_endpoint"] == f"{base}/oauth2{version}/token"
    assert found["authorization_endpoint"] == f"{base}/oauth2{version}/authorize"
    assert found["issuer"] == f"{base}{version}"


def test_a_token_is_signed_with_the_published_key_and_says_whose_it_is(
    lab: CloudLab, client: httpx.Client
) -> None:
    answer = client.post(lab.authentication_url, data=fields(lab)).json()
    token = answer.pop("access_token")
    assert answer == {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599}
    (key,) = client.get(f"{lab.entra_url}/{lab.tenant_id}/discovery/v2.0/keys").json()["keys"]
    assert jwt.get_unverified_header(token)["kid"] == key["kid"]
    found = jwt.decode(token, jwt.PyJWK(key, "RS256"), ["RS256"], audience=MCAS)
    assert found["exp"] - found["iat"] == 3599
    assert found["iat"] == found["nbf"]
    shown = ("tid", "appid", "appidacr", "roles", "iss", "ver")
    assert [found[name] for name in shown] == [
        lab.tenant_id,
        lab.client_id,
        "1",
        ["Discovery.manage"],
        f"https://sts.windows.net/{lab.tenant_id}/",
        "1.0",
    ]


def test_the_v1_form_takes_a_resource_and_answers_numbers_as_texts(
    lab: CloudLab, client: httpx.Client
) -> None:
    form = fields(lab, scope=None) | {"resource": MCAS}
    answer = client.post(f"{lab.entra_url}/{lab.tenant_id}/oauth2/token", data=form).json()
    assert claims(answer.pop("access_token"))["aud"] == MCAS
    assert int(answer.pop("expires_on")) - int(answer.pop("not_before")) == 3599
    assert answer == {
        "token_type": "Bearer",
        "expires_in": "3599",
        "ext_expires_in": "3599",
        "resource": MCAS,
    }


def test_roles_and_life_of_a_token_are_as_set_and_no_role_is_no_claim(
    lab: CloudLab, client: httpx.Client
) -> None:
    lab.entra.roles, lab.entra.token_secs = [], 60
    answer = client.post(lab.authentication_url, data=fields(lab)).json()
    found = claims(answer["access_token"])
    assert "roles" not in found
    assert (answer["expires_in"], found["exp"] - found["iat"]) == (60, 60)


def test_the_secret_may_be_in_a_header(lab: CloudLab, client: httpx.Client) -> None:
    form = fields(lab, client_id=None, client_secret=None)

    def answer(*auth: str) -> httpx.Response:
        return client.post(lab.authentication_url, data=form, auth=(auth[0], auth[1]))

    assert answer(lab.client_id, lab.client_secret).status_code == 200
    assert answer(lab.client_id, quote(lab.client_secret, safe="")).status_code == 200
    assert refusal(answer(lab.client_id, "wrong")) == (401, 7000215)
    assert refusal(answer(lab.client_id, "")) == (401, 7000218)
    assert refusal(answer(UNKNOWN, lab.client_secret)) == (400, 700016)


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic /w==", "Bearer x", "Basic Og=="])
def test_a_header_without_credentials_is_none(
    lab: CloudLab, client: httpx.Client, header: str
) -> None:
    form = fields(lab, client_id=None, client_secret=None)
    answer = client.post(lab.authentication_url, data=form, headers={"authorization": header})
    assert refusal(answer) == (400, 900144)


@pytest.mark.parametrize("domain", ["nsslab.onmicrosoft.com", "NSSLAB.onmicrosoft.com"])
@pytest.mark.parametrize("version", ["", "/v2.0"])
def test_a_domain_of_the_tenant_stands_for_its_id(
    lab: CloudLab, client: httpx.Client, version: str, domain: str
) -> None:
    base = f"{lab.entra_url}/{domain}"
    found = client.get(f"{base}{version}/.well-known/openid-configuration").json()
    own = f"{lab.entra_url}/{lab.tenant_id}"
    assert found["token_endpoint"] == f"{own}/oauth2{version}/token"
    assert found["issuer"] == f"{own}{version}"
    token = client.post(f"{base}/oauth2/v2.0/token", data=fields(lab)).json()["access_token"]
    assert claims(token)["tid"] == lab.tenant_id
    lab.entra.domains = {"contoso.example"}
    assert refusal(client.post(f"{base}/oauth2/v2.0/token", data=fields(lab))) == (400, 90002)


def test_msal_signs_in_with_the_secret(lab: CloudLab) -> None:
    answer = msal_client(lab, lab.client_secret).acquire_token_for_client([lab.scope])
    assert claims(answer["access_token"])["appidacr"] == "1"


@pytest.mark.parametrize("code", REFUSALS)
def test_every_code_can_be_had_in_the_form_of_entra(
    lab: CloudLab, client: httpx.Client, code: int
) -> None:
    lab.entra.refuse(f"AADSTS{code}")
    answer = client.post(
        lab.authentication_url, data=fields(lab), headers={"client-request-id": "the-same"}
    )
    found = answer.json()
    assert (answer.status_code, found["error"]) == (REFUSALS[code].status, REFUSALS[code].error)
    assert found["error_codes"] == [code]
    assert found["correlation_id"] == "the-same"
    assert found["error_uri"] == f"{lab.entra_url}/error?code={code}"
    start, _, end = found["error_description"].partition(" Trace ID: ")
    assert start.startswith(f"AADSTS{code}: ")
    assert end == (f"{found['trace_id']} Correlation ID: the-same Timestamp: {found['timestamp']}")


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        (7000215, 401, "invalid_client"),
        (7000222, 401, "invalid_client"),
        (700016, 400, "unauthorized_client"),
        (90002, 400, "invalid_request"),
        (900023, 400, "invalid_request"),
        (500011, 400, "invalid_resource"),
        (7000229, 401, "invalid_client"),
        (501051, 400, "invalid_grant"),
        (65001, 400, "invalid_grant"),
        (1002012, 400, "invalid_scope"),
        (70011, 400, "invalid_scope"),
        (900144, 400, "invalid_request"),
        (700027, 401, "invalid_client"),
        (700213, 401, "invalid_client"),
        (7000214, 401, "invalid_client"),
        (1000502, 401, "invalid_client"),
        (7000274, 401, "invalid_client"),
        (7000277, 401, "invalid_client"),
        (7000112, 401, "unauthorized_client"),
    ],
)
def test_status_and_error_of_a_code_are_the_documented_ones(
    code: int, status: int, error: str
) -> None:
    assert (REFUSALS[code].status, REFUSALS[code].error) == (status, error)


@pytest.mark.parametrize(
    ("changes", "status", "code", "named"),
    [
        ({"client_secret": "wrong"}, 401, 7000215, "secret value, not the client secret ID"),
        ({"client_secret": None}, 401, 7000218, "'client_assertion' or 'client_secret'"),
        ({"client_id": UNKNOWN}, 400, 700016, f"identifier '{UNKNOWN}' was not found"),
        ({"client_id": None}, 400, 900144, "parameter: 'client_id'"),
        ({"grant_type": None}, 400, 900144, "parameter: 'grant_type'"),
        ({"scope": None}, 400, 900144, "parameter: 'scope'"),
        ({"grant_type": "password"}, 400, 70003, "grant type 'password'"),
        ({"scope": MCAS}, 400, 1002012, f"for scope {MCAS} is not valid"),
        ({"scope": f"{MCAS}/.default openid"}, 400, 70011, "openid is not valid"),
        ({"scope": f"{UNKNOWN}/.default"}, 400, 500011, f"named {UNKNOWN} was not found"),
    ],
)
def test_what_is_wrong_with_a_request_is_told(
    lab: CloudLab,
    client: httpx.Client,
    changes: dict[str, str | None],
    status: int,
    code: int,
    named: str,
) -> None:
    answer = client.post(lab.authentication_url, data=fields(lab, **changes))
    assert refusal(answer) == (status, code)
    assert named in answer.json()["error_description"]


def test_the_v1_form_knows_no_scope_and_no_default(lab: CloudLab, client: httpx.Client) -> None:
    url = f"{lab.entra_url}/{lab.tenant_id}/oauth2/token"
    assert refusal(client.post(url, data=fields(lab))) == (400, 900144)
    form = fields(lab) | {"resource": lab.scope}
    assert refusal(client.post(url, data=form)) == (400, 500011)


@pytest.mark.parametrize(
    ("tenant", "code"), [(UNKNOWN, 90002), ("contoso.example", 90002), ("contoso", 900023)]
)
def test_a_wrong_tenant_is_refused_at_both_addresses(
    lab: CloudLab, client: httpx.Client, tenant: str, code: int
) -> None:
    base = f"{lab.entra_url}/{tenant}"
    discovery = client.get(f"{base}/v2.0/.well-known/openid-configuration")
    token = client.post(f"{base}/oauth2/v2.0/token", data=fields(lab))
    assert [
        (answer.status_code, answer.json()["error"], answer.json()["error_codes"])
        for answer in (discovery, token)
    ] == [(400, "invalid_tenant", [code]), (400, "invalid_request", [code])]


def test_a_refusal_can_be_for_some_requests_only(lab: CloudLab, client: httpx.Client) -> None:
    lab.entra.refuse("AADSTS7000222", times=2)
    statuses = [client.post(lab.authentication_url, data=fields(lab)).status_code for _ in "123"]
    lab.entra.refuse("AADSTS90002")
    lab.entra.refuse(None)
    statuses.append(client.post(lab.authentication_url, data=fields(lab)).status_code)
    assert statuses == [401, 401, 200, 200]


def test_a_code_that_nobody_knows_is_no_refusal(lab: CloudLab) -> None:
    with pytest.raises(KeyError):
        lab.entra.refuse("AADSTS1")


def test_a_tenant_that_is_refused_is_so_at_discovery_where_msal_meets_it_first(
    lab: CloudLab, client: httpx.Client
) -> None:
    url = f"{lab.entra_url}/{lab.tenant_id}/v2.0/.well-known/openid-configuration"
    lab.entra.refuse("AADSTS7000222")
    assert client.get(url).status_code == 200
    lab.entra.refuse("AADSTS90002")
    assert refusal(client.get(url)) == (400, 90002)


def test_a_revoked_secret_is_wrong_and_the_new_one_right(
    lab: CloudLab, client: httpx.Client
) -> None:
    form = fields(lab)
    lab.entra.revoke_secret()
    assert refusal(client.post(lab.authentication_url, data=form)) == (401, 7000215)
    assert client.post(lab.authentication_url, data=fields(lab)).status_code == 200


@pytest.mark.parametrize("data", [b"", b"\xff\x00=%zz&&&", b"grant_type"])
def test_a_body_that_is_no_form_lacks_everything(
    lab: CloudLab, client: httpx.Client, data: bytes
) -> None:
    assert refusal(client.post(lab.authentication_url, content=data)) == (400, 900144)


def test_a_body_without_end_is_refused(lab: CloudLab, client: httpx.Client) -> None:
    answer = client.post(lab.authentication_url, content=b"a" * (1 << 20) + b"a")
    assert answer.status_code == 413
