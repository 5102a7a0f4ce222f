"""Which entries concern a URL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.lab.cloud.zia.urls import Entries, _covers

ENTRIES = [".box.com", "app.box.com/login", "box.com", "other.example", "notbox.com", ".b.com/x/"]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("box.com", {".box.com", "box.com"}),
        ("app.box.com", {".box.com", "app.box.com/login"}),
        ("a.b.app.BOX.com/x", {".box.com"}),
        (".box.com", {".box.com", "box.com", "app.box.com/login"}),
        ("b.com/x/y", {".b.com/x/"}),
        ("b.com/y", set()),
        ("x.com", set()),
    ],
)
def test_entries_match_or_are_more_specific(url: str, found: set[str]) -> None:
    assert set(Entries(ENTRIES).concerning(url)) == found


names = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=3).map(".".join)
entry = st.builds("{}{}{}".format, st.sampled_from(["", "."]), names, st.sampled_from(["", "/p"]))


@given(entry, st.lists(entry, max_size=12))
def test_the_index_finds_what_a_look_at_each_entry_finds(url: str, entries: list[str]) -> None:
    slowly = [
        other
        for other in entries
        if _covers(other, url.removeprefix(".")) or _covers(url, other.removeprefix("."))
    ]
    assert sorted(Entries(entries).concerning(url)) == sorted(slowly)
