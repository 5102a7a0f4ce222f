"""Which entry of a category a URL belongs to."""

import pytest

from nss.zia.matching import Matcher, entry_of

OURS = ("ours", "files.example.net/share")
ENTRIES = {
    "ours": [".dropbox.com", "example.org", "files.example.net/share", ".example.net"],
    "other": ["www.dropbox.com", ".example.net/share/public", "box.com"],
}


@pytest.mark.parametrize(
    ("url", "matches"),
    [
        ("dropbox.com", [("ours", ".dropbox.com")]),
        ("a.b.dropbox.com/path", [("ours", ".dropbox.com")]),
        ("https://www.DropBox.com/", [("other", "www.dropbox.com"), ("ours", ".dropbox.com")]),
        ("notdropbox.com", []),
        ("example.org:8443", [("ours", "example.org")]),
        ("www.example.org", []),
        ("files.example.net/shared", [OURS, ("ours", ".example.net")]),
        ("files.example.net/other", [("ours", ".example.net")]),
        (
            "x.example.net/share/public/1",
            [("other", ".example.net/share/public"), ("ours", ".example.net")],
        ),
        ("", []),
        (".box.com", [("other", "box.com")]),
    ],
)  # fmt: skip
def test_the_entries_of_a_url_the_best_first(url: str, matches: list[tuple[str, str]]) -> None:
    found = Matcher(ENTRIES).matches(entry_of(url))
    assert [(category, text) for _, category, text in found] == matches


@pytest.mark.parametrize(
    ("entry", "url", "matches"),
    [
        ("host.example:8443", "host.example", 0),
        ("host.example:8443", "host.example:8443/path", 1),
        ("host.example:443", "https://host.example/", 1),
        (".example.com", "1.2.3.4.5.example.com", 1),
        (".example.com", "1.2.3.4.5.6.example.com", 0),
    ],
)
def test_a_port_is_that_port_and_a_dot_reaches_five_levels(
    entry: str, url: str, matches: int
) -> None:
    assert len(Matcher({"ours": [entry]}).matches(entry_of(url))) == matches
