"""A value that nobody gets to see by accident."""

import copy
import json
import logging
import pickle
import traceback
from dataclasses import asdict, dataclass

import orjson
import pytest

from nss.secret import Secret

TEXT = "Abc8Q~aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567"
SECRET = Secret(TEXT)


def test_it_shows_as_three_stars_however_it_is_printed() -> None:
    shown = [str(SECRET), repr(SECRET), f"{SECRET}", f"{SECRET!r}", "%s" % SECRET, f"{[SECRET]}"]  # noqa: UP031 - one of the ways
    assert shown == ["***", "***", "***", "***", "***", "[***]"]


def test_a_format_lays_out_the_stars() -> None:
    assert f"{SECRET:>5}|{SECRET:<5}" == "  ***|***  "


def test_it_is_revealed_to_who_asks_for_it() -> None:
    assert SECRET.reveal() == TEXT


def test_a_dataclass_with_it_shows_stars() -> None:
    @dataclass
    class Credentials:
        secret: Secret

    assert repr(Credentials(SECRET)).endswith("Credentials(secret=***)")
    with pytest.raises(TypeError, match=r"^a secret is not written anywhere as it is$"):
        asdict(Credentials(SECRET))


def test_a_log_and_a_traceback_show_stars(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test_secret").warning("with %s and %r", SECRET, {"a": SECRET})
    assert caplog.messages == ["with *** and {'a': ***}"]
    assert traceback.format_exception_only(ValueError(SECRET)) == ["ValueError: ***\n"]


@pytest.mark.parametrize("write", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
def test_it_is_not_written_by_what_writes_objects(write: object) -> None:
    assert callable(write)
    with pytest.raises(TypeError) as caught:
        write(SECRET)
    assert TEXT not in str(caught.value)


def test_orjson_does_not_write_it() -> None:
    with pytest.raises(orjson.JSONEncodeError) as caught:
        orjson.dumps({"secret": SECRET})
    assert TEXT not in str(caught.value)


def test_it_has_no_dictionary_to_look_into() -> None:
    with pytest.raises(TypeError):
        vars(SECRET)


def test_two_of_the_same_text_are_equal() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert {Secret("a"), Secret("a")} == {Secret("a")}


def test_it_is_not_equal_to_its_text() -> None:
    assert Secret("a") != "a"


def test_text_beyond_ascii_compares_too() -> None:
    assert Secret("\u00e4") == Secret("\u00e4")


def test_an_empty_one_is_false() -> None:
    assert [bool(Secret("")), bool(SECRET)] == [False, True]
