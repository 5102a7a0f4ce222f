"""Two feed formats compared: what came, went, moved and is printed otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import FeedFormat, parse, presets
from formats.comparison import MAX_SLOTS, Change, comparison, nearest
from formats.fields import catalogue

MCAS = presets.text("MCAS")


def compared(base: str, other: str) -> tuple[object, ...]:
    found = comparison(parse(base), parse(other))
    assert found is not None
    return found.added, found.removed, found.moved, found.reworded, found.texts


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_is_the_same_as_itself_however_it_is_written(name: str) -> None:
    api = presets.text(name).replace("\\t", "\t").replace("\\n", "\n")
    found = comparison(presets.load(name), parse(api))

    assert found is not None
    assert found.is_same
    assert (found.added, found.removed, found.moved, found.reworded, found.texts) == ((),) * 4 + (
        0,
    )


def test_fields_that_came_and_went_are_named() -> None:
    text = MCAS.replace(r"\trealm=%s{location}", "").replace(
        "usrName=%s{login}", r"usrName=%s{elogin}\tdept=%s{dept}"
    )
    added, removed, moved, _, texts = compared(MCAS, text)

    assert (added, removed, moved, texts) == (("elogin", "dept"), ("location", "login"), (), 1)


def test_an_attribute_that_went_is_one_change_with_its_key() -> None:
    text = MCAS.replace(r"\trealm=%s{location}", "").removesuffix("\\n")
    found = comparison(presets.load("MCAS"), parse(text))

    assert found is not None
    before, after = text.split(r"\tusrName")
    assert found.changes == (
        Change("same", before),
        Change("removed", r"\trealm=%s{location}"),
        Change("same", rf"\tusrName{after}"),
    )


def test_fields_in_another_order_have_moved() -> None:
    text = MCAS.replace(r"src=%s{cip}\tdst=%s{sip}", r"dst=%s{sip}\tsrc=%s{cip}")

    assert compared(MCAS, text)[:4] == ((), (), ("sip",), ())


def test_a_field_that_is_printed_otherwise_is_shown_both_ways() -> None:
    padded = MCAS.replace("%d{dd}", "%02d{dd}")
    twice = MCAS.replace("cat=%s{action}", r"cat=%s{action}\tpolicy=%s{action}")

    assert compared(MCAS, padded) == ((), (), (), (("%d{dd}", "%02d{dd}"),), 0)
    assert compared(MCAS, twice)[3] == (("%s{action}", "%s{action} %s{action}"),)


def test_static_text_that_differs_is_counted() -> None:
    assert compared(MCAS, MCAS.replace("|Zscaler|", "|Acme|"))[4] == 1
    assert compared("%s{login},%s{url}", "%s{login};%s{url};")[4] == 2


def test_a_format_is_nearest_to_the_preset_it_was_made_of() -> None:
    known = [presets.load(name) for name in presets.names()]

    for name in presets.names():
        changed = presets.text(name).replace("%s{action}", "%s{eua}")
        assert nearest(parse(changed), known).name == name


def test_what_is_too_large_is_not_compared() -> None:
    many = parse("%s{login} " * (MAX_SLOTS * 4))

    assert comparison(presets.load("MCAS"), many) is None
    assert comparison(many, presets.load("MCAS")) is None
    assert comparison(presets.load("MCAS"), parse("%s{login} " * MAX_SLOTS)) is not None


SPECS = st.sampled_from([f"%{f.conversion}{{{f.name}}}" for f in catalogue().values()][:12])
TEXTS = st.sampled_from([r"\tcat=", " ", ",", "|a|b|", r"\{x\}", "%%", "devTime="])


@given(st.lists(SPECS | TEXTS, max_size=20), st.lists(SPECS | TEXTS, max_size=20))
def test_the_changes_make_both_formats_again(before: list[str], after: list[str]) -> None:
    base, changed = parse("".join(before)), parse("".join(after))
    found = comparison(base, changed)
    assert found is not None

    def made_of(*kinds: str) -> FeedFormat:
        return parse("".join(c.text for c in found.changes if c.kind in kinds))

    assert made_of("same", "removed") == base
    assert made_of("same", "added") == changed
    assert found.is_same == (base == changed)
