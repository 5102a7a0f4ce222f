"""What people write who know another language is named, and what is meant is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import presets
from formats.fields import catalogue
from formats.language import Literal, faults, parse
from formats.slips import suspicions

DOLLAR = "a field begins with % and its conversion, not with $"
BRACES = "the name of a field stands in braces, not in"

SLIPS = {
    "%S{login}": ("unknown conversion %S", "%s{login}", "%S{login}"),
    "%02D{hh}": ("unknown conversion %D", "%02d{hh}", "%02D{hh}"),
    "%X{recordid}": ("unknown conversion %X", "%x{recordid}", "%X{recordid}"),
    "%i{reqsize}": ("unknown conversion %i", "%d{reqsize}", "%i{reqsize}"),
    "%S{logon}": ("unknown conversion %S", "%s{login}", "%S{logon}"),
    "%s {login}": ("a blank between %s and {login}", "%s{login}", "%s {login}"),
    "%02d \t{hh}": ("a blank between %d and {hh}", "%02d{hh}", "%02d  {hh}"),
    "${login}": (DOLLAR, "%s{login}", "${login}"),
    "${nothing_like_it}": (DOLLAR, r"write \{nothing_like_it\} for braces", "${nothing_like_it}"),
    "%-20s{login}": ("%s takes no width", "%s{login}", "%-20s{login}"),
    "%.3s{login}": ("%s takes no width", "%s{login}", "%.3s{login}"),
    "%+5d{hh}": (
        "%+5d is no conversion: only a width may precede d",
        "%5d{hh}",
        "%+5d{hh}",
    ),
    "{login}": (
        "no conversion before {login}",
        r"%s{login} for the field, \{login\} for braces",
        "{login}",
    ),
    "{reqsizee}": (
        "no conversion before {reqsizee}",
        r"%d{reqsize} for the field, \{reqsizee\} for braces",
        "{reqsizee}",
    ),
    "{x}": ("unescaped { and }", r"write \{x\} for braces", "{x}"),
    "%{login}s": ("no conversion between % and {login}", "%s{login}", "%{login}s"),
    "%{login}": ("no conversion between % and {login}", "%s{login}", "%{login}"),
    "%(login)s": (f"{BRACES} (", "%s{login}", "%(login)s"),
    "%s(login)": (f"{BRACES} (", "%s{login}", "%s(login)"),
    "%s[login]": (f"{BRACES} [", "%s{login}", "%s[login]"),
    "%d<hh>": (f"{BRACES} <", "%d{hh}", "%d<hh>"),
    "%login": ("no braces around login", "%s{login}", "%login"),
    "%slogin": ("no braces around login", "%s{login}", "%slogin"),
    "%(whatever)s": ("lone %", "write %% for a percent sign", "%(whatever)s"),
}


@pytest.mark.parametrize("text", SLIPS)
def test_a_common_slip_is_one_fault_that_says_what_is_meant(text: str) -> None:
    for whole in (text, f"a {text} b"):
        (found,) = faults(whole)
        assert (found.reason, found.tip, found.excerpt.at) == SLIPS[text]


def test_what_a_slip_is_told_to_be_compiles() -> None:
    for _, tip, _ in SLIPS.values():
        if tip.startswith("%") and " " not in tip:
            assert parse(tip).slots


def test_all_slips_of_a_string_are_found_each_at_its_place() -> None:
    found = faults("%-20s{login}\\t%S{url} {ehost} ${dept}\n%s{logon} %d{url} %s{ua")
    assert [(each.where, each.tip) for each in found] == [
        ("column 1", "%s{login}"),
        ("column 15", "%s{url}"),
        ("column 23", r"%s{ehost} for the field, \{ehost\} for braces"),
        ("column 31", "%s{dept}"),
        ("line 2, column 4", "%s{login}"),
        ("line 2, column 11", "%s{url}"),
        ("line 2, column 19", "end the field with }"),
    ]


def doubts(text: str) -> list[str]:
    parts = parse(text).parts
    return list(suspicions([part.text for part in parts if isinstance(part, Literal)]))


def test_legal_text_that_looks_like_a_field_is_suspicious() -> None:
    assert doubts(r"user=$login %s{url} \{dept\} $\{cip\} %%d\{reqsize\} $5 \{x\} 100%%") == [
        "prints $login as it stands; %s{login} prints the value",
        "prints {dept} as it stands; %s{dept} prints the value",
        "prints ${cip} as it stands; %s{cip} prints the value",
        "prints %d{reqsize} as it stands; %d{reqsize} prints the value",
    ]


def test_a_doubled_backslash_is_suspicious_where_keys_follow_and_no_tab_is_printed() -> None:
    doubled = r"prints \t as it stands; one backslash is enough: \t"
    assert doubts(r"cat=%s{action}\\tsrc=%s{cip}") == [doubled]
    assert doubts(r"a=%s{action}\tpath=C:\\temp\\tmp=%s{cip}") == []


@pytest.mark.parametrize("name", presets.names())
def test_nothing_is_suspicious_in_a_preset(name: str) -> None:
    assert doubts(presets.text(name)) == []


@given(st.text("%sdxS{}()<>[]$\\ \tloginhh05-.t=", max_size=40))
def test_slips_change_no_verdict_and_every_fault_is_shown_within_the_text(text: str) -> None:
    found = faults(text)
    for each in found:
        assert each.offset <= len(text)
        assert str(each).isprintable() or "\n" in str(each)
    starts = [each.offset for each in found]
    assert starts == sorted(starts)


def test_every_field_is_recognised_when_its_conversion_is_missing() -> None:
    for name, field in catalogue().items():
        (found,) = faults(f"{{{name}}}")
        assert found.tip is not None
        assert found.tip.startswith(f"%{field.conversion}{{{name}}} for the field")
