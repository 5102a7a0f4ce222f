"""Forms: what browsers send, and what they never would."""

import asyncio
from urllib.parse import unquote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from nss.admin.portal.forms import (
    MAX_BYTES,
    MAX_FIELDS,
    PIECE_CHARS,
    THREAD_BYTES,
    form_of,
    unquoted,
)
from nss.errors import UsageError

URLENCODED = "application/x-www-form-urlencoded"


def request(*chunks: bytes, kind: str = URLENCODED) -> Request:
    waiting = [*chunks]

    async def receive() -> dict[str, object]:
        body = waiting.pop(0)
        if not body:
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    headers = [(b"content-type", kind.encode())]
    return Request({"type": "http", "method": "POST", "headers": headers, "state": {}}, receive)


async def test_fields_are_read_and_what_is_absent_is_empty() -> None:
    form = await form_of(request(b"a=1&b=x+y%0D%0Az&", b"a=2&c="))

    assert (form["a"], form["b"], form["c"], form["d"]) == ("2", "x y\nz", "", "")
    assert form.all("a") == ["1", "2"]
    assert ("c" in form, "d" in form, len(form)) == (True, False, 3)
    assert list(form) == ["a", "b", "c"]


async def test_a_form_is_read_once_and_kept() -> None:
    asked = request(b"a=1")

    assert await form_of(asked) is await form_of(asked)


async def test_letters_of_any_script_arrive_and_what_is_not_utf8_is_marked() -> None:
    form = await form_of(request(b"n=%C3%A4&w=%FF"))

    assert (form["n"], form["w"]) == ("ä", "\ufffd")


async def test_a_large_form_is_read_like_a_small_one() -> None:
    value = "ä€😀%+&=\r\n\0" * 10_000
    body = urlencode({"a": value, "": "x", "b": ""}).encode()
    form = await form_of(request(b"&&" + body, b"&c"))

    assert form["a"] == value.replace("\r\n", "\n")
    assert (form[""], form["b"], form["c"], len(form)) == ("x", "", "", 4)


@given(st.text("%aF0C3+=&\r\n", max_size=60))
@settings(max_examples=500)
def test_escapes_are_read_as_pythons_library_reads_them(text: str) -> None:
    # Pieces of a few characters make many ends between escapes.
    whole = text * (PIECE_CHARS // max(1, len(text)) + 2)
    found = unquoted(whole)
    assert found == unquote_plus(whole.replace("+", "%2B"), errors="replace")


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data; boundary=x", "json"])
async def test_other_kinds_of_body_are_refused(kind: str) -> None:
    with pytest.raises(UsageError, match="no form"):
        await form_of(request(b"a=1", kind=kind))


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        ((b"a=", b"x" * MAX_BYTES), "larger than"),
        ((b"&".join([b"a=1"] * (MAX_FIELDS + 1)),), "can't be read"),
        ((b"a=\xff",), "can't be read"),
    ],
)
async def test_what_no_page_of_ours_sends_is_refused(chunks: tuple[bytes], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        await form_of(request(*chunks))


async def test_a_form_that_never_ends_is_not_waited_for() -> None:
    stalled = request(b"a=1", b"")

    with pytest.raises(UsageError, match=r"did not arrive within 0 s"):
        await form_of(stalled, within_secs=0.05)


async def test_a_large_form_is_read_as_a_small_one_is() -> None:
    text = "é\r\n" * THREAD_BYTES
    form = await form_of(request(urlencode({"a": text, "b": "1"}).encode()))

    assert (form["a"], form["b"]) == ("é\n" * THREAD_BYTES, "1")
    with pytest.raises(UsageError, match="can't be read"):
        await form_of(request(b"a=" + b"\xff" * (THREAD_BYTES + 1)))
