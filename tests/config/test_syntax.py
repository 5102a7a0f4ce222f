"""What is no TOML is shown with its line, a caret, what is wrong and what is meant."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.config.load import ConfigProblems, parse
from nss.config.secrecy import shown_value
from nss.service.checking import ShownProblem
from nss.service.refused_reload import note_refused
from nss.service.running import Running


def shown(text: str) -> str:
    with pytest.raises(ConfigProblems) as caught:
        parse(text, Path("/etc/nss"))
    (problem,) = caught.value.problems
    return f"{problem.key}: {problem.reason}"


WHOLE = {
    '[feeds.a]\nformat_string = "\\d%s{login}"\n': """\
line 2, column 18: not TOML: in double quotes a backslash begins an escape, and this is none
  format_string = "\\d%s{login}"
                   ^
Try: single quotes, which keep backslashes: format_string = '\\d%s{login}'""",
    "format = MCAS # the vendor's": """\
line 1, column 10: not TOML: a text stands in quotes
  format = MCAS # the vendor's
           ^
Try: format = "MCAS\"""",
    "[feeds.a]\nzone = 'GMT'\n[feeds.b]\n\t[feeds.a]\n": """\
line 4, column 1: not TOML: the table [feeds.a] is there twice: the first is line 1
   [feeds.a]
  ^
Try: put all its keys in one place""",
    "[a]\nx = 1\n[b]\nx = 1\ny = 2\nx = 3": """\
line 6, column 1: not TOML: x is set twice: the first is line 4
  x = 3
  ^
Try: keep one of them""",
}


@pytest.mark.parametrize("text", WHOLE)
def test_the_line_is_shown_with_a_caret_and_what_is_meant(text: str) -> None:
    assert shown(text) == WHOLE[text]


MEANT = {
    'path = "C:\\Users\\me"': ("column 11", "path = 'C:\\Users\\me'"),
    "path = C:\\Users": ("a text stands in quotes", "path = 'C:\\Users'"),
    "listen = 0.0.0.0:514": ("a text stands in quotes", 'listen = "0.0.0.0:514"'),
    "max_bytes = 10MiB": ("a text stands in quotes", 'max_bytes = "10MiB"'),
    "sources = [web]": ("a text stands in quotes", 'quotes around each text: ["a", "b"]'),
    "drain_secs = 5s": ("a number has no unit", "drain_secs = 5"),
    "port = 0514": ("a number has no 0 in front", "port = 514"),
    "follow = True": ("True is no value", "true, in small letters"),
    "follow = no": ("no is no value", "false, in small letters"),
    "zone = “GMT”": ("“ is no quote of TOML", "straight quotes"),
    'zone = "GMT': ("the quote that ends the text is missing", "end it on the same line"),
    'zone = "GMT\nx = 1': ("line 1, column 8: not TOML: the quote", "end it on the same line"),
    "zone = 'GMT\nx = 1": ("line 1, column 8: not TOML: the quote", "end it on the same line"),
    "x = 1\na = '''b\n\n": ("line 2, column 5: not TOML: the ''' that ends", ""),
    'x = 1\na = """b\n\n': ('line 2, column 5: not TOML: the """ that ends', ""),
    "zone == 'GMT'": ("between a key and its value stands one =", "zone = ..."),
    "zone: 'GMT'": ("between a key and its value stands =, not :", ""),
    "log level = 1": ("a key has no blanks in it", "log_level = ..."),
    "zone": ("there is no = behind the key", "KEY = VALUE"),
    'a = "x"y"': ('behind the " that ends the value', "in ''' quotes"),
    "a = 1 b = 2": ("each key stands on a line of its own", ""),
    "[feeds web]": ("the heading of a table ends with ]", ""),
    "a = [1, 2\nb = 3": ("the list lacks a comma or the ]", ""),
    "a = { x = 1\n}": ("a table in { } stands on one line", "a table of its own"),
    "a = { x = 1, }": ("a key is missing here", ""),
    "a = { x = 1 }\n[a.b]": (
        "the table [a.b] is there already, in braces",
        "in one place",
    ),
    "\xa0zone = 1": ("character U+00A0 can't begin a line", "plain blanks"),
    'a = "\x01"': ("character U+0001 is not allowed", "leave it out"),
    "a = 1\n[a]\nb = 1": ("a is a value already, and can't be a table", ""),
    "a = 2026-02-30": ("invalid date or datetime", ""),
}


@pytest.mark.parametrize("text", MEANT)
def test_what_people_get_wrong_is_named_in_plain_words(text: str) -> None:
    reason, tip = MEANT[text]
    found, _, tried = shown(text).partition("\nTry: ")
    assert reason in found
    assert tip in tried
    assert bool(tip) == bool(tried)


@pytest.mark.parametrize(
    "text",
    [
        "client_secret = tiger9lily",
        'client_secret = "tiger9lily\\d"',
        'x_api_key = "tiger9lily',
        'proxy = "http://me:tiger9lily\\d@proxy:3128"',
        'x = "Bearer tiger9lily\\d"',
        'x = "tiger9lilyaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\d"',
        '"bind password" = tiger9lily',
        '[mcas]\nclient_secret = """\ntiger9lily\\q\n"""',
        'note = """\ntiger9lily\\q\n"""',
        'mcas = { tenant = "x", client_secret = "tiger9lily\\q" }',
        'mcas = { value = "tiger9lily", kind = "client_secret\\q" }',
        'tokens = [\n  "tiger9lily\\q",\n]',
        '[mcas.client_secret]\nvalue = "tiger9lily\\q"',
        "pin_token = 0123tiger9lily",
        'proxy = "http://me:p@tiger9lily@proxy\\q"',
        'proxy = "http://me:a/b@tiger9lily@proxy\\q"',
        'proxy = "http://me:tiger9lily',
        'proxy = "me:tiger9lily@proxy\\q"',
        'token_file = "tiger9lily\\q"',
        "headers = ['X-Pw: a', \"X-Pw: tiger9lily\\q\"]",
        'x = 1\ny = "\\q" # password tiger9lily',
    ],
)
def test_a_line_that_may_hold_a_secret_hides_it(text: str) -> None:
    assert "tiger9lily" not in shown(text)
    assert "***" in shown(text)


@given(st.text("abx=[]{}\"'\\\n\t .,#:01%_é", max_size=60))
def test_whatever_is_no_toml_ends_in_a_place_and_a_sentence(text: str) -> None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        found = shown(text)
        assert found.startswith("line ")
        assert len(found) < 1000


SECRET = st.from_regex(r"[a-z0-9]{5,12}Zq[a-z0-9@/:!~]{0,12}", fullmatch=True)
KEYS = ("client_secret", "x.api_key", '"bind password"', "PASSWD", "auth", "mcas.token", "pw")
PLACES = (
    '{key} = "{secret}{end}"',
    "{key} = {secret}{end}",
    "{key} = '{secret}{end}",
    "{key}: {secret}{end}",
    "{key} {secret}{end} = 1",
    "{key} = 1 {secret}{end}",
    '{key} = "good" "{secret}{end}"',
    '{key} = """\nx = 1\n{secret}{end}\n"""',
    "{key} = [\n'a', # ]\n  \"{secret}{end}\"\n]",
    "{key} = ['a', {secret}]",
    'mcas = {{ tenant = "x", {key} = "{secret}{end}" }}',
    'mcas = {{ {key} = "{secret}", tenant = "x{end}" }}',
    '[mcas.{key}]\nvalue = "{secret}{end}"',
    'proxy = "http://me:{secret}@proxy{end}"',
    'proxy = "http://me:a@{secret}@proxy{end}"',
    'x = "Bearer {secret}{end}"',
    'x = "a{end}" # {key} = {secret}',
    "{key} = '{secret}'\n{key} = '{secret}'",
    '{key} = "{secret}"',
)


@given(SECRET, st.sampled_from(KEYS), st.sampled_from(PLACES), st.sampled_from(["\\q", "", " b"]))
def test_a_secret_is_not_shown_wherever_it_stands(
    secret: str, key: str, place: str, end: str
) -> None:
    text = "[service]\nlog_level = 'info'\n" + place.format(secret=secret, key=key, end=end)
    with pytest.raises(ConfigProblems) as caught:
        parse(text, Path("/etc/nss"))
    problems = [ShownProblem(p.key, shown_value(p), p.reason) for p in caught.value.problems]
    assert secret not in f"{caught.value}{caught.value.tip}{problems}"


@given(SECRET, st.sampled_from(KEYS))
def test_what_the_status_says_of_a_refused_file_has_no_secret(secret: str, key: str) -> None:
    with pytest.raises(ConfigProblems) as caught:
        parse(f'{key} = "{secret}"', Path("/etc/nss"))
    running = Running()
    note_refused(running, Path("/etc/nss/nss.toml"), caught.value)
    assert running.refused_reload is not None
    assert secret not in repr(running.refused_reload)


def test_values_that_are_no_secrets_stay_in_the_messages() -> None:
    with pytest.raises(ConfigProblems) as caught:
        parse('colour = "red"\n[sources.web]\nkind = "http"\ntls_key = 5', Path("/etc/nss"))
    assert 'colour = "red": unknown key' in str(caught.value)
    assert "tls_key = 5: " in str(caught.value)


@pytest.mark.parametrize("filler", ["://" + ":" * 1_000_000, "[" * 1_000_000, '"""' * 300_000])
def test_a_long_comment_behind_a_short_value_takes_no_time(filler: str) -> None:
    assert len(shown(f'k = "a\\q" # {filler}')) < 1000
    assert len(shown(f"k = a b # {filler}")) < 1000


def test_a_line_of_megabytes_is_not_shown() -> None:
    for text in ("a = " + "x" * 3_000_000, 'x = "' + "://a:" * 500_000, "a" * 3_000_000 + ":"):
        assert len(shown(text)) < 1000
