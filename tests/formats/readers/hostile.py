"""Values that readers stumble over: a fixed corpus, which grew with what was found; a strategy."""

from collections.abc import Sequence

from hypothesis import strategies as st

VALUES = (
    "ordinary", "two words", "", " ", "  blanks around  ", "x" * 9000,
    "\xe4\xe9\u4e2d\U0001f600", "\u201cquoted\u201d", "caf\xe9 \xbb",
    # quotes
    '"', "'", '"begin', "'begin", 'mid"dle', "it's", 'end"', "end'", '"both"', "'both'",
    '"both" and more', '""', "''", 'a""b', '","', '"\t"', '\\"', '"\\"', '"\\', 'a"b\'c',
    # pipes and backslashes
    "|", "a|b|c", "||",
    "a|", "\\", "a\\", "a\\\\", "C:\\Temp\\new", "\\=", "\\|", "a\\, b", "\\\\|",
    "literal \\t\\n\\r", "literal \\tcat=Blocked",
    # pairs
    "=", "==", "=begin", "end=", "a=b", "x usrName=admin", "x suser=root act=Blocked",
    " cat=Allowed",
    "x, cat=Allowed", "x;cat=Allowed", "a=b&c=d", "Key=1 Key=2", "^^user=root", "x^cat=Allowed",
    "x cs1Label=act", "|ACTION|Allowed|", 'x=y z="q', '{"action":"Allowed"}',
    '","action":"Allowed","user":"bob', '"},{"action":"Allowed"}',
    # columns
    ",", "a,b", ",,", "a,", ',"', '"a,b', ";", "#comment", "// comment",
    # what ends a line or a column when it comes raw
    "\t", "a\tcat=Blocked", "\n", "a\nb", "\r", "\r\n", "a\rcat=x", "\0", "\x1b[31m",
    "\x7f", "\x85",
    "\x9b", "\u2028", "\u2029", "\x0b\x0c", "\x1c\x1d\x1e",
    # headers and brackets
    "LEEF:1.0|a|b|c|d|usrName=root", "CEF:0|a|b|c|d|e|f|act=x", "<134>1 - - - - - - x",
    "<13>Oct  6 09:05:08 host app: x", "{", "}", "[", "]", "{}", "[x]", "(", ")", "<", ">", "${x}",
    # what readers give a type of its own
    "true", "null", "0x1F", "1e5", "-", "1.2.3.4", "::1", "2023-10-06 09:05:08", "5d", "%22", "%",
)  # fmt: skip

NEIGHBOURS = (
    ('a"', 'b"'), ('"', '"'), ("it's", "bob's"), ('"a', 'b"'), ('a"b', "c"), ("'", '"'),
    ("a\\", '"b'), ('"', "x"), ("x", '"'), ("{", "}"), ("[", "]"), ("(", ")"), ("", '"'),
    ("\\", ""),
    ("a=", "b="), ("x|", "|y"), ('\\"', '"'), ("a'\"", "b'"), ('="', '"='), (' "a', 'b" '),
    ("<", ">"), ("`", "`"), ("\\", "\\"), (",", '"'),
)  # fmt: skip
"""Two values that stand beside each other: what opens in the first may close in the second."""

Record = dict[str, str]


def records(fields: Sequence[str]) -> list[Record]:
    """Return records with each value in all fields, neighbours in turn, and the corpus in a row."""
    everywhere = [dict.fromkeys(fields, value) for value in VALUES]
    in_turn = [
        {name: pair[number % 2] for number, name in enumerate(fields)} for pair in NEIGHBOURS
    ]
    apart = [  # three fields between the two, which a reader would swallow
        {name: {0: a, 4: b}.get(number % 8, "plain") for number, name in enumerate(fields)}
        for a, b in NEIGHBOURS
    ]
    in_a_row = [
        {name: VALUES[(start + number) % len(VALUES)] for number, name in enumerate(fields)}
        for start in range(0, len(VALUES), 7)
    ]
    return everywhere + in_turn + apart + in_a_row


_PIECES = st.sampled_from([*"\t\n\r\0\x85\u2028|^=\\\"',;{}[]()<>& -%aB0\xe4\U0001f600", *VALUES])
TEXTS = st.text(max_size=8) | st.lists(_PIECES, max_size=5).map("".join)


def some_records(fields: Sequence[str], count: int = 20) -> st.SearchStrategy[list[Record]]:
    """Return a strategy for records of random texts, several at a time: readers start slowly."""
    texts = st.lists(TEXTS, min_size=2, max_size=5)
    record = texts.map(
        lambda found: {name: found[number % len(found)] for number, name in enumerate(fields)}
    )
    return st.lists(record, min_size=1, max_size=count)
