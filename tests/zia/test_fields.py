"""What people type for ZIA, normalised or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.answers import BadAnswer
from nss.secret import Secret
from nss.zia import fields


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("zscalertwo", "https://zsapi.zscalertwo.net/api/v1"),
        (" ZscalerTwo.net ", "https://zsapi.zscalertwo.net/api/v1"),
        ("admin.zscalertwo.net", "https://zsapi.zscalertwo.net/api/v1"),
        ("zsapi.zscloud.net", "https://zsapi.zscloud.net/api/v1"),
        ("zspreview", "https://admin.zspreview.net/api/v1"),
        ("https://zsapi.zscaler.net", "https://zsapi.zscaler.net/api/v1"),
        ("https://zsapi.zscaler.net/api/v1/", "https://zsapi.zscaler.net/api/v1"),
        ("https://zsapi.example.gov:8443/api", "https://zsapi.example.gov:8443/api/v1"),
        ("https://localhost:4711/api/v1", "https://localhost:4711/api/v1"),
    ],
)
def test_the_api_of_a_cloud(text: str, url: str) -> None:
    assert fields.api_url(text) == url
    assert fields.api_url(url) == url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "https://api.zsapi.net/zia/api/v1"),
        ("zscaler", "https://api.zsapi.net/zia/api/v1"),
        ("beta", "https://api.beta.zsapi.net/zia/api/v1"),
        ("https://api.zscalergov.net", "https://api.zscalergov.net/zia/api/v1"),
        ("api.zscalergov.us/zia", "https://api.zscalergov.us/zia/api/v1"),
    ],
)
def test_the_api_of_oneapi(text: str, url: str) -> None:
    assert fields.one_api_url(text) == url
    assert fields.one_api_url(url) == url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("acme", "https://acme.zslogin.net/oauth2/v1/token"),
        ("Acme.zslogin.net", "https://acme.zslogin.net/oauth2/v1/token"),
        ("https://acme.zsloginbeta.net/", "https://acme.zsloginbeta.net/oauth2/v1/token"),
        ("https://acme.zidentitygov.us/oauth2/v1", "https://acme.zidentitygov.us/oauth2/v1/token"),
    ],
)
def test_where_tokens_come_from(text: str, url: str) -> None:
    assert fields.token_url(text) == url
    assert fields.token_url(url) == url


@pytest.mark.parametrize(
    ("read", "text", "sentence"),
    [
        (fields.api_url, "", "the cloud is empty"),
        (fields.api_url, "zscalerfour", "the cloud is not known"),
        (fields.api_url, "http://zsapi.zscaler.net", "the cloud begins with http, which is not "),
        (fields.api_url, "ftp://zsapi.zscaler.net", "the cloud is not a URL that begins with "),
        (fields.api_url, "https://zsapi.<cloud>.net", "the cloud is only a placeholder"),
        (fields.api_url, "https://zsapi.zscaler.net/other", "the cloud has an unknown path"),
        (fields.api_url, "https://zsapi.zscaler.net/?a=b", "the cloud has something after"),
        (fields.api_url, "https://me@zsapi.zscaler.net/", "the cloud has a user in it"),
        (fields.api_url, "https://zsapi.zscaler.net:0/", "the cloud is not a URL"),
        (fields.api_url, "https://zsapi.zscaler.net:none/", "the cloud is not a URL"),
        (fields.api_url, "https://no_name.example/", "the cloud is not a URL"),
        (fields.token_url, "acme corp", "the vanity domain has a blank or a quote inside"),
        (fields.token_url, "https://acme.zslogin.net/x", "the vanity domain has an unknown path"),
        (fields.client_id, "<client id>", "the Client ID has a blank"),
        (fields.client_id, "{id}", "the Client ID is only a placeholder"),
        (fields.client_secret, "********", "the Client Secret is only what is shown in its place"),
        (fields.client_secret, "short", "the Client Secret is too short: it has 5 characters"),
        (fields.client_secret, "<your-secret>", "the Client Secret is only a placeholder"),
        (fields.password, "\n", "the password is empty"),
        (fields.password, "********", "the password is only what is shown in its place"),
        (fields.api_key, "jj7tg80fEGa", "the API key is not 12 letters and digits"),
        (fields.api_key, "jj7tg80f-EGao", "the API key is not 12 letters and digits"),
        (fields.username, "admin", "the user name is not of the form NAME@DOMAIN"),
        (fields.scope, "api://zia", "the Scope is not of the form RESOURCE/.default"),
    ],
)
def test_what_can_not_be_right(read: object, text: str, sentence: str) -> None:
    assert callable(read)
    with pytest.raises(BadAnswer) as caught:
        read(text)
    assert caught.value.sentence.startswith(sentence)
    assert caught.value.tip


def test_a_password_is_kept_as_it_is() -> None:
    assert fields.password(' it\'s "***" here \n').reveal() == ' it\'s "***" here '


READERS = [
    *(fields.api_url, fields.one_api_url, fields.token_url, fields.client_id),
    *(fields.client_secret, fields.password, fields.api_key, fields.username, fields.scope),
]


@given(
    st.text() | st.from_regex(r"(https://)?[a-z.\[\]@:/?#-]{0,9}(SECRET)?[a-z.\[\]@:/?#-]{0,9}"),
    st.sampled_from(READERS),
)
def test_any_text_is_an_answer_or_a_sentence_that_does_not_quote_it(
    text: str, read: object
) -> None:
    assert callable(read)
    try:
        found = read(text.replace("SECRET", "pasted-here"))
    except BadAnswer as bad:
        said = bad.sentence + bad.tip
    else:
        said = ""
        assert isinstance(found, Secret) or read(found) == found
    assert "pasted-here" not in said
