"""Values as the service writes them: `%HH`, base64, obfuscation, cutting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.values import (
    clean,
    cleaner,
    cut,
    encoder,
    find_unsafe,
    from_base64,
    obfuscator,
    percent,
    to_base64,
    url_path,
)

ALL_TEXT = st.text(st.characters())  # every code point, lone surrogates too


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("", ""),
        ("plain | = \\ \" 'text' %41", "plain | = \\ \" 'text' %41"),
        ("a\tb\nc\rd", "a%09b%0Ac%0Dd"),
        ("\0\x1b\x7f", "%00%1B%7F"),
        ("\x85\x9f\xa0", "%C2%85%C2%9F\xa0"),
        ("\u2027\u2028\u2029\u202a", "\u2027%E2%80%A8%E2%80%A9\u202a"),
        ("\xe9\u4e2d\U0001f600", "\xe9\u4e2d\U0001f600"),
        ("\ud800", "%ED%A0%80"),
    ],
)
def test_only_what_breaks_a_line_is_cleaned(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_a_cleaner_reads_further_characters_literally() -> None:
    assert cleaner("|]^-\\[")("a|b]c^d-e\\f[g\nh") == "a%7Cb%5Dc%5Ed%2De%5Cf%5Bg%0Ah"


@given(ALL_TEXT, st.text(st.characters(min_codepoint=33, max_codepoint=126)))
def test_cleaned_text_is_utf8_without_any_of_the_characters(text: str, more: str) -> None:
    more = more.replace("%", "")
    hex_digits = set("0123456789ABCDEF")
    cleaned = cleaner("".join(c for c in more if c not in hex_digits))(text)
    assert not find_unsafe(cleaned)
    assert not (set(cleaned) & set(more)) - hex_digits
    cleaned.encode()


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("a b", "a%20b"),
        ("!~", "!~"),
        ("\x7f\x80", "%7F%C2%80"),
        ("caf\xe9 \u4e2d", "caf%C3%A9%20%E4%B8%AD"),
        ('|{}"=#?&\\', '|{}"=#?&\\'),
        ("already%20there 100%", "already%20there%20100%"),
    ],
)
def test_the_encoded_family_is_upper_case_hex_of_what_is_not_printable_ascii(
    text: str, encoded: str
) -> None:
    assert encoder()(text) == encoded
    assert encoder()(encoded) == encoded


def test_feed_escape_characters_are_encoded_too() -> None:
    assert encoder(',"-]^')('a,b "c"-]^d') == "a%2Cb%20%22c%22%2D%5D%5Ed"


def test_percent_is_upper_case_hex_of_every_byte() -> None:
    assert percent("aZ\xff\u20ac") == "%61%5A%C3%BF%E2%82%AC"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("h/a/b", "/a/b"),
        ("h:443/a?b=/c", "/a"),
        ("h", "/"),
        ("h:443", "/"),
        ("", "/"),
        ("h/", "/"),
        ("h?next=/admin", "/"),
        ("h?a/b?c", "/"),
        ("h#/admin", "/"),
        ("h/a#b/c?d", "/a"),
        ("h/a?b#c/d", "/a"),
    ],
)
def test_the_path_of_a_url_has_no_host_and_no_query(url: str, path: str) -> None:
    assert url_path(url) == path


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("YW5hQGV4YW1wbGUuY29t", "ana@example.com"),
        ("w6Q=", "\xe4"),
        ("w6Q", "\xe4"),
        (" w6Q=\n", "\xe4"),
        ("-_8=", "\ufffd\ufffd"),
        ("+/8=", "\ufffd\ufffd"),
        ("", ""),
        ("w", None),
        ("a b=", None),
        ("\xe4\xe4\xe4\xe4", None),
        ("====", None),
    ],
)
def test_base64_is_read_in_both_alphabets_with_or_without_padding(
    text: str, plain: str | None
) -> None:
    assert from_base64(text) == plain


@given(st.text())
def test_base64_gives_the_text_back(text: str) -> None:
    assert from_base64(to_base64(text)) == text


@pytest.mark.parametrize("text", ["CXVz=", "CXU==", "CXVzaW4===", "=", "A", "A==="])
def test_base64_with_too_much_padding_is_none(text: str) -> None:
    assert from_base64(text) is None


@pytest.mark.parametrize("text", ["None", "NA", "N/A", "Unknown", " NA "])
def test_a_placeholder_is_no_base64(text: str) -> None:
    assert from_base64(text) is None


@given(ALL_TEXT)
def test_no_text_is_too_odd_for_base64_and_obfuscation(text: str) -> None:
    assert to_base64(text).isascii()
    assert 0 <= int(obfuscator(b"k")(text)) < 2**32


def test_obfuscation_depends_on_the_key_whatever_its_length() -> None:
    keys = [b"", b"a", b"b", b"x" * 64, b"x" * 65, b"x" * 66]
    assert len({obfuscator(key)("ana@example.com") for key in keys}) == len(keys)
    assert obfuscator(b"a")("ana@example.com") == obfuscator(b"a")("ana@example.com")


@pytest.mark.parametrize(
    ("text", "max_bytes", "result"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abc.."),
        ("ab\xe9\xe9", 5, "ab.."),
        ("abc%C3%A9xyz", 9, "abc%C3.."),
        ("abc%C3%A9xyz", 8, "abc%C3.."),
        ("abc%C3%A9xyz", 7, "abc.."),
        ("abc%C3%A9xyz", 6, "abc.."),
        ("abcdef", 2, ".."),
        ("abcdef", 0, ".."),
    ],
)
def test_text_is_cut_between_characters_and_never_inside_a_percent_code(
    text: str, max_bytes: int, result: str
) -> None:
    assert cut(text, max_bytes, "..") == result


@given(st.text(), st.integers(5, 40))
def test_cut_text_fits_and_begins_as_the_text(text: str, max_bytes: int) -> None:
    result = cut(text, max_bytes, "[...]")
    assert len(result.encode()) <= max_bytes
    assert result == text or text.startswith(result.removesuffix("[...]"))
