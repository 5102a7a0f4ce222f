"""What people type and paste: the normal form of each answer, and the sentence if it is bad."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.answers import BadAnswer
from nss.mcas import fields

CLIENT = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-8888-7777-6666-abcdefabcdef"
SECRET = "Abc8Q~aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567"  # noqa: S105 - made up
SCOPE = "05a65629-4c1b-48c1-a78b-804c4abdd4af/.default"
LOGIN = "https://login.microsoftonline.com"
TOKEN_URL = f"{LOGIN}/{TENANT}/oauth2/v2.0/token"
API = "https://contoso.us3.portal.cloudappsecurity.com"

OVERVIEW_TIP = "copy the Application (client) ID from the application's Overview page in Entra"
VALUE_TIP = (
    "copy the column Value under Certificates & secrets; Entra shows it only right after the "
    "secret was made, so otherwise make a new one"
)
SCOPE_TIP = f"press Enter for the usual one, {SCOPE}"
LOGIN_TIP = (
    "use https://login.microsoftonline.com/TENANT/oauth2/v2.0/token, with the Directory (tenant) "
    "ID from the application's Overview page in Entra"
)
ABOUT_TIP = "copy the API URL from the Defender portal: Settings, Cloud Apps, System, About"


def description(ask: Callable[[], object]) -> tuple[str, str, str]:
    """Return the field, the sentence and the tip of a bad answer."""
    with pytest.raises(BadAnswer) as caught:
        ask()
    assert str(caught.value) == caught.value.sentence
    return caught.value.field, caught.value.sentence, caught.value.tip


@pytest.mark.parametrize(
    "text",
    [
        CLIENT,
        TENANT.upper(),
        f"  {CLIENT}\t",
        f"{CLIENT}\r\n",
        f'"{CLIENT}"',
        f"\u201c{CLIENT}\u201d",
        f"\ufeff\u00a0{CLIENT}\u200b",
    ],
)
def test_a_client_id_loses_what_copy_and_paste_left_around_it(text: str) -> None:
    assert fields.client_id(text) in {CLIENT, TENANT}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        (" \t\r\n", "is empty"),
        ('""', "is empty"),
        ("nss", "is not a GUID"),
        (CLIENT[:-1], "is not a GUID"),
        (CLIENT.replace("-", ""), "is not a GUID"),
        (f"{CLIENT}0", "is not a GUID"),
        (CLIENT[:9] + " " + CLIENT[9:], "has a blank or a quote inside"),
        (f"{CLIENT}\n{CLIENT}", "has a blank or a quote inside"),
        (CLIENT[:-1] + "\u00e9", "has a character inside that does not belong there"),
        (CLIENT[:-1] + "\x1b", "has a character inside that does not belong there"),
        ("1" * 5000, "is too long to be one"),
        ("<client-id>", "is only a placeholder"),
        ("{client_id}", "is only a placeholder"),
        ("YOUR_CLIENT_ID", "is only a placeholder"),
        ("00000000-0000-0000-0000-000000000000", "is only a placeholder"),
        ("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "is only a placeholder"),
        (SCOPE.removesuffix("/.default"), "is that of MCAS itself, not of your application"),
    ],
)
def test_a_bad_client_id_is_reported(text: str, reason: str) -> None:
    found = description(lambda: fields.client_id(text))
    assert found == ("client_id", f"the Client ID {reason}", OVERVIEW_TIP)


@pytest.mark.parametrize("text", [SECRET, f" {SECRET} \n", f"'{SECRET}'", f"{SECRET}\u200b"])
def test_a_client_secret_loses_what_copy_and_paste_left_around_it(text: str) -> None:
    assert fields.client_secret(text, CLIENT).reveal() == SECRET


def test_an_old_client_secret_with_odd_characters_is_one() -> None:
    old = "AbCDEf1Zs@[GHI:?j7klMnO6d8J_3m*p5"
    assert fields.client_secret(old).reveal() == old


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        (TENANT, "looks like the secret's ID, not its Value"),
        (f" {TENANT.upper()}\n", "looks like the secret's ID, not its Value"),
        (CLIENT, "is the same as the Client ID"),
        (CLIENT.upper(), "is the same as the Client ID"),
        (SECRET[:20] + " " + SECRET[20:], "has a blank or a quote inside"),
        (SECRET[:20] + "\n" + SECRET[20:], "has a blank or a quote inside"),
        (SECRET[:20] + "\u00a0" + SECRET[20:], "has a blank or a quote inside"),
        (SECRET + "\u00e4", "has a character inside that does not belong there"),
        (SECRET + "\x00", "has a character inside that does not belong there"),
        (SECRET[:15], "is too short: it has 15 characters, and those of Entra have 40"),
        ("***", "is only what is shown in its place"),
        (SECRET[:3] + "*" * 17, "is only what is shown in its place"),
        (SECRET[:3] + "...", "is only what is shown in its place"),
        ("\u2022" * 20, "is only what is shown in its place"),
        ("<your-client-secret-value>", "is only a placeholder"),
        ("{client_secret_goes_here}", "is only a placeholder"),
        ("YOUR_CLIENT_SECRET_VALUE", "is only a placeholder"),
        ("client-secret", "is only a placeholder"),
        ("S" * 5000, "is too long to be one"),
    ],
)
def test_a_bad_client_secret_is_reported_and_not_quoted(text: str, reason: str) -> None:
    found = description(lambda: fields.client_secret(text, CLIENT))
    assert found == ("client_secret", f"the Client Secret {reason}", VALUE_TIP)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("", SCOPE),
        (" \n", SCOPE),
        (SCOPE, SCOPE),
        (f"'{SCOPE.upper()}'\n", SCOPE),
        (f"{SCOPE}/", SCOPE),
        (f"{TENANT}/.default", f"{TENANT}/.default"),
        ("https://mcas.example/.default", "https://mcas.example/.default"),
        ("api://Mcas/.default", "api://Mcas/.default"),
    ],
)
def test_a_scope_is_brought_into_its_normal_form(text: str, right: str) -> None:
    assert fields.scope(text) == right


@pytest.mark.parametrize(
    ("text", "reason", "tip"),
    [
        (TENANT.upper(), "does not end in /.default", f"use {TENANT}/.default"),
        ("https://mcas.example", "does not end in /.default", SCOPE_TIP),
        ("Discovery.manage", "is not of the form RESOURCE/.default", SCOPE_TIP),
        (f"{TENANT}/Discovery.manage", "is not of the form RESOURCE/.default", SCOPE_TIP),
        ("mcas/.default", "is not of the form RESOURCE/.default", SCOPE_TIP),
        (".default", "is not of the form RESOURCE/.default", SCOPE_TIP),
        ("/.default", "is not of the form RESOURCE/.default", SCOPE_TIP),
        (f"{SCOPE} {SCOPE}", "has more than one entry", SCOPE_TIP),
        (f"{SCOPE},openid", "has more than one entry", SCOPE_TIP),
        (f'{TENANT}"/.default', "has a blank or a quote inside", SCOPE_TIP),
        ("<resource>/.default", "is only a placeholder", SCOPE_TIP),
        (
            "https://graph.microsoft.com/.default",
            "is that of Microsoft Graph, not of MCAS",
            SCOPE_TIP,
        ),
        (
            "00000003-0000-0000-c000-000000000000/.default",
            "is that of Microsoft Graph, not of MCAS",
            SCOPE_TIP,
        ),
    ],
)
def test_a_bad_scope_is_reported(text: str, reason: str, tip: str) -> None:
    assert description(lambda: fields.scope(text)) == ("scope", f"the Scope {reason}", tip)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (TOKEN_URL, TOKEN_URL),
        (f" '{TOKEN_URL}/'\r\n", TOKEN_URL),
        (f"{LOGIN}/{TENANT}", TOKEN_URL),
        (f"{LOGIN}/{TENANT.upper()}/", TOKEN_URL),
        (f"{LOGIN}/{TENANT}/oauth2/token", TOKEN_URL),
        (f"{LOGIN}/{TENANT}/oauth2/v2.0/authorize", TOKEN_URL),
        (f"{LOGIN}/{TENANT}/v2.0", TOKEN_URL),
        (f"{LOGIN}:443/{TENANT}", TOKEN_URL),
        (f"login.microsoftonline.com/{TENANT}", TOKEN_URL),
        (f"HTTPS://Login.MicrosoftOnline.com/{TENANT}", TOKEN_URL),
        (
            f"{LOGIN}/Contoso.onmicrosoft.com",
            f"{LOGIN}/contoso.onmicrosoft.com/oauth2/v2.0/token",
        ),
        (
            f"https://login.microsoftonline.us/{TENANT}",
            f"https://login.microsoftonline.us/{TENANT}/oauth2/v2.0/token",
        ),
        (
            f"https://localhost:8443/{TENANT}",
            f"https://localhost:8443/{TENANT}/oauth2/v2.0/token",
        ),
        (f"https://[::1]:8443/{TENANT}", f"https://[::1]:8443/{TENANT}/oauth2/v2.0/token"),
    ],
)
def test_an_authentication_url_is_brought_into_its_normal_form(text: str, right: str) -> None:
    assert fields.authentication_url(text, CLIENT) == right


@pytest.mark.parametrize(
    ("text", "reason", "tip"),
    [
        ("", "is empty", LOGIN_TIP),
        (
            TENANT,
            "is only a GUID",
            f"use {LOGIN}/{TENANT}/oauth2/v2.0/token, if that is the Directory (tenant) ID",
        ),
        (
            f"http://login.microsoftonline.com/{TENANT}",
            "begins with http, which is not encrypted",
            "use https",
        ),
        (
            f"ftp://login.microsoftonline.com/{TENANT}",
            "is not a URL that begins with https://",
            LOGIN_TIP,
        ),
        ("https://", "is not a URL that begins with https://", LOGIN_TIP),
        ("nonsense", "is not a URL that begins with https://", LOGIN_TIP),
        (f"{LOGIN}:99999/{TENANT}", "is not a URL that begins with https://", LOGIN_TIP),
        (f"{LOGIN} /{TENANT}", "has a blank or a quote inside", LOGIN_TIP),
        (
            f"https://user:{SECRET}@login.microsoftonline.com/{TENANT}",
            "has a user in it",
            LOGIN_TIP,
        ),
        (
            f"https://login.example.com/{TENANT}",
            "leads to login.example.com, which is no login host of Microsoft",
            LOGIN_TIP,
        ),
        (f"{LOGIN}:8443/{TENANT}", "has a port, and Microsoft's is always 443", LOGIN_TIP),
        (f"https://localhost/{TENANT}", "leads to this machine, and has no port", LOGIN_TIP),
        (f"{TOKEN_URL}?secret={SECRET}", "has something after the path", LOGIN_TIP),
        (f"{TOKEN_URL}#top", "has something after the path", LOGIN_TIP),
        (LOGIN, "has no tenant", LOGIN_TIP),
        (f"{LOGIN}/", "has no tenant", LOGIN_TIP),
        (f"{LOGIN}/oauth2/v2.0/token", "has no tenant", LOGIN_TIP),
        (f"{LOGIN}/oauth2", "has no tenant", LOGIN_TIP),
        (f"{LOGIN}/<tenant>", "has a placeholder instead of your tenant", LOGIN_TIP),
        (
            f"{LOGIN}/{{tenant}}/oauth2/v2.0/token",
            "has a placeholder instead of your tenant",
            LOGIN_TIP,
        ),
        (f"{LOGIN}/%7Btenant%7D", "has a placeholder instead of your tenant", LOGIN_TIP),
        (f"{LOGIN}/TENANT", "has a placeholder instead of your tenant", LOGIN_TIP),
        (f"{LOGIN}/YOUR_TENANT_ID", "has a placeholder instead of your tenant", LOGIN_TIP),
        (
            f"{LOGIN}/yourtenant.onmicrosoft.com",
            "has a placeholder instead of your tenant",
            LOGIN_TIP,
        ),
        (
            f"{LOGIN}/00000000-0000-0000-0000-000000000000",
            "has a placeholder instead of your tenant",
            LOGIN_TIP,
        ),
        (f"https://[host]/{TENANT}", "has a placeholder instead of your tenant", LOGIN_TIP),
        (f"https://<host>/{TENANT}", "has a placeholder instead of your tenant", LOGIN_TIP),
        (f"{LOGIN}/common", "has /common instead of your tenant", LOGIN_TIP),
        (
            f"{LOGIN}/Organizations/oauth2/v2.0/token",
            "has /organizations instead of your tenant",
            LOGIN_TIP,
        ),
        (f"{LOGIN}/consumers", "has /consumers instead of your tenant", LOGIN_TIP),
        (f"{LOGIN}/{CLIENT}", "has the Client ID instead of your tenant", LOGIN_TIP),
        (
            f"{LOGIN}/contoso",
            "has a tenant that is neither a GUID nor a domain",
            LOGIN_TIP,
        ),
        (
            f"{LOGIN}/{TENANT}/oauth2/v3.0/token",
            "has an unknown path after the tenant",
            f"use {TOKEN_URL}",
        ),
    ],
)
def test_a_bad_authentication_url_is_reported(text: str, reason: str, tip: str) -> None:
    found = description(lambda: fields.authentication_url(text, CLIENT))
    assert found == ("authentication_url", f"the Authentication URL {reason}", tip)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (API, API),
        (f"{API}/", API),
        (f"{API}/api", API),
        (f"{API}/api/", API),
        (f"{API}/api/v1/", API),
        (API.removeprefix("https://"), API),
        (f" {API.upper()}\n", API),
        (f"{API}:443", API),
        ("portal.cloudappsecurity.com", "https://portal.cloudappsecurity.com"),
        (
            "contoso.us1.portal.cloudappsecuritygov.com",
            "https://contoso.us1.portal.cloudappsecuritygov.com",
        ),
        (
            "contoso.us1.portal.cloudappsecurity.us",
            "https://contoso.us1.portal.cloudappsecurity.us",
        ),
        ("https://localhost:8443/", "https://localhost:8443"),
        ("127.0.0.1:8443", "https://127.0.0.1:8443"),
    ],
)
def test_an_api_url_is_brought_into_its_normal_form(text: str, right: str) -> None:
    assert fields.api_url(text) == right


@pytest.mark.parametrize(
    ("text", "reason", "tip"),
    [
        ("", "is empty", ABOUT_TIP),
        (
            API.replace("https", "http"),
            "begins with http, which is not encrypted",
            "use https",
        ),
        (SECRET, "is not a URL that begins with https://", ABOUT_TIP),
        (f"{API}/settings", "has a path after the host", f"use {API}"),
        (f"{API}/api/v1/discovery", "has a path after the host", f"use {API}"),
        (f"{API}/#/dashboard", "has something after the path", ABOUT_TIP),
        (f"{API}/?tid={TENANT}", "has something after the path", ABOUT_TIP),
        (f"{API}:8443", "has a port, and Microsoft's is always 443", ABOUT_TIP),
        ("https://localhost", "leads to this machine, and has no port", ABOUT_TIP),
        (API.replace("//", "//user@"), "has a user in it", ABOUT_TIP),
        ("contoso us3", "has a blank or a quote inside", ABOUT_TIP),
        (
            "<tenant>.us3.portal.cloudappsecurity.com",
            "has a placeholder instead of your tenant",
            ABOUT_TIP,
        ),
        (
            "https://[your-tenant].us3.portal.cloudappsecurity.com",
            "has a placeholder instead of your tenant",
            ABOUT_TIP,
        ),
        (
            "your-tenant.us3.portal.cloudappsecurity.com",
            "has a placeholder instead of your tenant",
            ABOUT_TIP,
        ),
        (
            "mycompany.portal.cloudappsecurity.com",
            "has a placeholder instead of your tenant",
            ABOUT_TIP,
        ),
        (
            "https://security.microsoft.com/cloudapps/settings?tid=1",
            "leads to security.microsoft.com, a portal for people, not to the API",
            ABOUT_TIP,
        ),
        (
            TOKEN_URL,
            "leads to login.microsoftonline.com, a sign-in page, not to the API",
            ABOUT_TIP,
        ),
        ("https://example.com", "leads to example.com, which is not MCAS", ABOUT_TIP),
        (
            f"{API}.example.com",
            "leads to contoso.us3.portal.cloudappsecurity.com.example.com, which is not MCAS",
            ABOUT_TIP,
        ),
    ],
)
def test_a_bad_api_url_is_reported(text: str, reason: str, tip: str) -> None:
    assert description(lambda: fields.api_url(text)) == ("api_url", f"the API URL {reason}", tip)


@pytest.mark.parametrize(
    ("login", "api"),
    [
        ("login.microsoftonline.com", "contoso.us3.portal.cloudappsecurity.com"),
        ("login.microsoftonline.com", "contoso.us1.portal.cloudappsecuritygov.com"),
        ("login.microsoftonline.us", "contoso.us1.portal.cloudappsecuritygov.com"),
        ("login.microsoftonline.us", "contoso.us1.portal.cloudappsecurity.us"),
        ("localhost:8443", "contoso.us3.portal.cloudappsecurity.com"),
        ("login.microsoftonline.us", "localhost:8443"),
    ],
)
def test_hosts_of_one_cloud_and_of_this_machine_go_together(login: str, api: str) -> None:
    fields.check_clouds(f"https://{login}/{TENANT}/oauth2/v2.0/token", f"https://{api}", SCOPE)


def test_a_managed_identity_goes_with_every_cloud() -> None:
    fields.check_clouds("", "https://contoso.us1.portal.cloudappsecurity.us", SCOPE)


@pytest.mark.parametrize(
    ("login", "api", "reason"),
    [
        (
            "login.microsoftonline.com",
            "contoso.us1.portal.cloudappsecurity.us",
            "is of the commercial cloud, and the API URL of the US Government cloud",
        ),
        (
            "login.microsoftonline.us",
            "contoso.us3.portal.cloudappsecurity.com",
            "is of the US Government cloud, and the API URL of the commercial cloud",
        ),
        (
            "login.partner.microsoftonline.cn",
            "contoso.us1.portal.cloudappsecuritygov.com",
            "is of the China cloud, and the API URL of the GCC cloud",
        ),
        (
            "login.sovcloud-identity.de",
            "portal.cloudappsecurity.com",
            "is of the sovereign cloud, and the API URL of the commercial cloud",
        ),
    ],
)
def test_hosts_of_different_clouds_are_reported(login: str, api: str, reason: str) -> None:
    url = fields.authentication_url(f"https://{login}/{TENANT}")
    tip = (
        "GCC High and DoD sign in at login.microsoftonline.us and have "
        "*.portal.cloudappsecurity.us; commercial tenants sign in at login.microsoftonline.com and "
        "have *.portal.cloudappsecurity.com"
    )
    found = description(lambda: fields.check_clouds(url, f"https://{api}", SCOPE))
    assert found == ("authentication_url", f"the Authentication URL {reason}", tip)


def test_in_the_commercial_cloud_the_scope_of_another_application_is_reported() -> None:
    other = f"{TENANT}/.default"
    found = description(lambda: fields.check_clouds(TOKEN_URL, API, other))
    assert found == ("scope", "the Scope is that of another application, not of MCAS", SCOPE_TIP)
    government = "https://contoso.us1.portal.cloudappsecurity.us"
    fields.check_clouds(TOKEN_URL.replace(".com", ".us"), government, other)


def test_the_authority_is_part_of_the_authentication_url() -> None:
    assert fields.authority_of(TOKEN_URL) == f"{LOGIN}/{TENANT}"


@given(st.one_of(st.text(), st.from_regex(r"https?://[^ ]*", fullmatch=True)))
def test_whatever_is_typed_is_refused_or_normalised_once_and_for_all(text: str) -> None:
    for ask in (fields.client_id, fields.scope, fields.authentication_url, fields.api_url):
        try:
            found = ask(text)
        except BadAnswer as bad:
            assert "\n" not in bad.sentence  # noqa: PT017 - both outcomes are right
        else:
            assert ask(found) == found
