"""What becomes of the entries of a list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.sync.domains import host_of, normalised

USED = [
    (".reddit.com", ".reddit.com"),
    (" .Logz.io \r", ".logz.io"),
    ("*.logz.io", ".logz.io"),
    ("HTTPS://Bücher.Example/Shop/", "xn--bcher-kva.example/shop/"),
    ("http:example.org", "example.org"),
    ("example.com/", "example.com"),
    ("example.com./a", "example.com/a"),
    ("example.com/a?q=ü#part", "example.com/a?q=%c3%bc"),
    ("example.com?q=1", "example.com/?q=1"),
    ("example.com:8443", "example.com:8443"),
    ("//example.com", "example.com"),
    (".192.0.2.1", "192.0.2.1"),
    ("my_host.example.com", "my_host.example.com"),
    ("\ufeff.first.example", ".first.example"),
    ("example.com/%41", "example.com/%41"),
]

SET_ASIDE = [
    ("localhost", "is a top-level domain or a name without one"),
    (".com", "is a top-level domain or a name without one"),
    ("https://", "has no host"),
    (".", "has no host"),
    ("a*.example", "has a * inside; only a * at its start, for all subdomains, can be used"),
    ("example.com/*", "has a * in its path, which a URL category does not take"),
    ("example.com/%4", "has a % in its path that begins no escape"),
    ("a..example", "is not a valid host name"),
    ("-a.example", "is not a valid host name"),
    ("a,b.example", "is not a valid host name"),
    ("example.com:0", "has no valid port after the colon"),
    ("example.com:65536", "has no valid port after the colon"),
    ("example.com:", "has no valid port after the colon"),
    ("[2001:db8::1]", "is an IPv6 address, which a URL category does not take"),
    ("2001:db8::1", "is an IPv6 address, which a URL category does not take"),
    ("a.b_c.example_", "has a _ in the part that is registered"),
    ("x.b_c.example", "has a _ in the part that is registered"),
    ("999.1.1.1", "is neither a name nor an IPv4 address"),
    ("url.domain=app.example deny", "has a blank inside"),
    ("a\x00.example", "has control characters"),
    ("\u00ad\u0308.example", "has control characters"),
    ("\u0308.example", "is not a name by the rules for international names"),
    (f"{'a' * 64}.example", "has a part of more than 63 characters between dots"),
    (".".join(["abcdefg"] * 33), "has a host of more than 255 characters"),
    (f"example.com/{'a' * 1013}", "is longer than 1024 characters"),
    (f"example.com/{'ü' * 300}", "is longer than 1024 characters"),
]


@pytest.mark.parametrize(("entry", "url"), USED)
def test_an_entry_is_brought_to_the_form_of_a_url_category(entry: str, url: str) -> None:
    wanted = normalised([entry])
    assert (wanted.urls, wanted.set_aside) == ((url,), ())


@pytest.mark.parametrize(("entry", "reason"), SET_ASIDE)
def test_what_is_no_entry_is_set_aside_and_sinks_nothing_else(entry: str, reason: str) -> None:
    wanted = normalised([entry, "good.example"])
    assert wanted.urls == ("good.example",)
    assert [aside.reason for aside in wanted.set_aside] == [reason]


def test_a_password_in_an_entry_is_not_shown() -> None:
    for entry in ("http://me:hunter2@h.example/", "me:hunter2@h.example"):
        (aside,) = normalised([entry]).set_aside
        assert "hunter2" not in aside.entry
        assert aside.reason == "has a user name before the host"


@pytest.mark.parametrize(
    "entry",
    ["//me:hunter2@h.example", "https:/me:hunter2@h.example", "me:hun/ter2@h.example*"],
)
def test_a_password_in_an_entry_that_is_no_url_is_not_shown_either(entry: str) -> None:
    (aside,) = normalised([entry]).set_aside
    assert "ter2" not in aside.entry


def test_a_host_before_a_colon_is_no_scheme() -> None:
    """Another host than the first would be blocked."""
    found = normalised(["good.example:other.example"])
    assert found.urls == ()
    assert [aside.reason for aside in found.set_aside] == ["has no valid port after the colon"]


def test_blank_lines_and_comments_are_no_entries() -> None:
    assert normalised(["", " \r", "# comment", "; other"]).set_aside == ()


def test_repetitions_and_what_a_parent_covers_are_counted_and_left_out() -> None:
    entries = [
        ".example.com", ".EXAMPLE.com", "example.com", "a.example.com/path", ".b.example.com",
        "one.two.three.four.five.six.example.com", "site.example/a/", "site.example/a/b",
        "site.example/ab", "host.example", "host.example/x", "host.example:8080", ".host2.example",
        "notexample.com",
    ]  # fmt: skip
    wanted = normalised(entries)
    assert wanted.urls == (
        ".example.com",
        ".host2.example",
        "host.example",
        "notexample.com",
        # A leading dot reaches five levels down, and this is the sixth.
        "one.two.three.four.five.six.example.com",
        "site.example/a/",
        "site.example/ab",
    )
    assert (wanted.repeated, wanted.covered) == (1, 6)


def test_a_shorter_limit_can_be_set() -> None:
    assert normalised(["example.com/12"], max_url_chars=13).set_aside
    assert normalised(["example.com/1"], max_url_chars=13).urls == ("example.com/1",)


@given(st.lists(st.text(max_size=40) | st.sampled_from([entry for entry, _ in USED])))
def test_whatever_comes_is_used_or_set_aside_and_stays_as_it_is_a_second_time(
    entries: list[str],
) -> None:
    wanted = normalised(entries)
    again = normalised(wanted.urls)
    assert again.urls == wanted.urls
    assert again.set_aside == ()
    for url in wanted.urls:
        assert url.isascii()
        assert url == url.lower()
        assert "*" not in url
        assert not any(letter.isspace() for letter in url)
        assert 0 < len(host_of(url)) <= 255
