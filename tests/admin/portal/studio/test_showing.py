"""What there is to see, as text: carets under their place, long texts cut, counts in words."""

import pytest

from formats import presets
from nss.admin.portal.pages.studio.showing import MAX_CHANGES, SHOWN_OF_VALUE, Shown, shown
from nss.setup.studio import SHOWN_CHARS, Draft
from nss.setup.studio.trial import try_out

pytestmark = pytest.mark.long

RECORD = '{"time": "Fri Oct  6 09:05:08 2023", "login": "LOGIN"}\n'


def seen(format_string: str, samples: str = "", filter_text: str = "") -> Shown:
    draft = Draft(format_string=format_string, samples=samples, filter=filter_text)
    return shown(try_out(draft, "ZSCALER_QRADAR"))


@pytest.mark.parametrize(
    ("text", "before", "caret"),
    [
        ("%s{lgoin}", "%s{", "   ^^^^^"),
        ("a\t%s{lgoin}", "a %s{", "     ^^^^^"),
        ("東京 %s{lgoin}", "東京 %s{", "        ^^^^^"),
        ("e\u0301 %s{lgoin}", "e\u0301 %s{", "     ^^^^^"),
        ("\u202e%s{lgoin}", "\\u202e%s{", "         ^^^^^"),
        ("one\n  two %s{lgoin}", "  two %s{", "         ^^^^^"),
        ("x\x1b", "x", " ^^^^"),
        ("%s{}", "%s{", "   ^"),
    ],
)
def test_a_caret_stands_under_its_place(text: str, before: str, caret: str) -> None:
    (fault,) = seen(text).faults

    assert (fault.before, fault.caret) == (before, caret)


@pytest.mark.parametrize(
    ("text", "samples", "filter_text", "summary"),
    [
        ("", RECORD, "", "There is no format string yet"),
        ("%s{x}", RECORD, "", "1 error in the format string"),
        ("%s{x}%s{y}", RECORD, "", "2 errors in the format string"),
        ("%s{x}" * 19, RECORD, "", "19 errors in the format string"),
        ("%s{x}" * 25, RECORD, "", "at least 20 errors in the format string"),
        ("x", RECORD, "", "Something is wrong in the form"),
        ("%s{login}", "", "", "The format string is right; there are no sample records yet"),
        ("%s{login}", RECORD, "", "1 rendered; READ; longest line 5 bytes"),
        ("%s{login}", RECORD, 'users="x"', "0 rendered, 1 filtered; READ"),
        (
            "%s{login}",
            RECORD + "?\n",
            "",
            "1 rendered, 1 rejected; READ; longest line 5 bytes",
        ),
    ],
)
def test_a_sentence_says_what_came_of_it(
    text: str, samples: str, filter_text: str, summary: str
) -> None:
    read = "read as JSON with NSS field names"
    assert seen(text, samples, filter_text).summary == summary.replace("READ", read)


def test_a_long_value_is_cut_in_the_table() -> None:
    look = seen("a=%s{login}", RECORD.replace("LOGIN", "x" * 5000)).look

    assert look is not None
    assert look.entries[0].text == "x" * SHOWN_OF_VALUE + "..."


def test_what_other_lines_may_lose_is_shown() -> None:
    look = seen("%s{login} %s{dept}", RECORD).look

    assert look is not None
    assert [doubt[:27] for doubt in look.doubts] == ["%s{login} may hold ' ', whi"]


def test_what_both_formats_have_is_shortened_in_the_difference() -> None:
    found = seen(presets.text("MCAS").replace("cat=", "act=")).difference

    assert found is not None
    assert found.facts == (("Static text", "differs in 1 place"),)
    assert found.lines[1:3] == ("- |cat=", "+ |act=")
    assert found.lines[0].startswith("  %s{mon} %d{dd}")
    assert " ... " in found.lines[3]
    assert max(map(len, found.lines)) < 110


def test_a_difference_that_is_large_is_bounded() -> None:
    texts = ",".join(f"a{number},%s{{eua}}" for number in range(199))
    found = seen(texts).difference
    many = seen("%s{eua} " * 900).difference

    assert found is not None
    assert len(found.lines) <= MAX_CHANGES
    assert many is not None
    assert (many.is_same, many.lines) == (False, ())


def test_a_line_of_what_can_not_be_seen_is_as_short_as_any_other() -> None:
    found = seen("\u202e" * 3000 + "%s{login}", RECORD)

    assert len(found.outcomes[0].text) == SHOWN_CHARS
    assert found.outcomes[0].is_cut
