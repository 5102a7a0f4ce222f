"""Strategies for feed formats that somebody may write: columns, JSON and LEEF."""

from dataclasses import dataclass

from hypothesis import strategies as st

TEXT = st.sampled_from(
    ["%s{ua}", "%s{login}", "%s{dept}", "%s{eurl}", "%s{action}", "%s{reason}", "%s{ereferer}"]
)
NUMBER = st.sampled_from(["%d{reqsize}", "%d{recordid}", "%02d{riskscore}"])
BETWEEN = st.sampled_from([" ", " (", " - ", ":", "/", ", ", " [", "'", "@", "->", "="])
AROUND = st.sampled_from([("", ""), ("", ")"), ("<", ">"), ("id:", "."), ("'", "'"), ("[", "]")])


@st.composite
def inside(draw: st.DrawFn) -> str:
    """Return what stands in one string: a text, two fields, or one with static text around it."""
    first, (before, after) = draw(TEXT), draw(AROUND)
    if draw(st.booleans()):
        return first
    second = draw(BETWEEN) + draw(TEXT | NUMBER) if draw(st.booleans()) else ""
    return f"{before}{first}{second}{after}"


# ---- columns


@dataclass(frozen=True, slots=True)
class Columns:
    """A format of columns, and what separates them."""

    text: str
    separator: str


@st.composite
def columns(draw: st.DrawFn) -> Columns:
    """Return a format whose columns may have quotes, each of them, some or none.

    Columns between pipes are CSV only if they are nothing but values, or have quotes.
    """
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    quoted = draw(st.sampled_from([(True,), (False,), (True, False)]))
    constants = st.nothing() if separator == "|" else st.sampled_from(["const", "1", "a b"])
    column = TEXT | NUMBER | constants | (st.nothing() if separator == "|" else fields_apart())
    found = draw(st.lists(column, min_size=1, max_size=5))
    found.insert(draw(st.integers(0, len(found))), draw(TEXT))
    pieces = [f'"{text}"' if draw(st.sampled_from(quoted)) else text for text in found]
    return Columns(separator.join(pieces).replace("\t", "\\t"), separator)


def fields_apart() -> st.SearchStrategy[str]:
    """Return two fields of one column."""
    between = st.sampled_from([" ", "-", ":", "/"])
    return st.tuples(TEXT, between, TEXT | NUMBER).map("".join)


# ---- JSON


@dataclass(frozen=True, slots=True)
class Json:
    """A format of one JSON object or array, and what stands before and behind it."""

    before: str
    text: str
    behind: str


CONSTANTS = st.sampled_from(["1", "true", "null", '"const"', '"a,b"', '"\\{"', '"]"', '"it\'s"'])
SCALARS = inside().map('"{}"'.format) | NUMBER.filter(lambda spec: "0" not in spec) | CONSTANTS


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    """Return an object of such values, with blanks or without."""
    blank, comma = draw(st.sampled_from(["", " "])), draw(st.sampled_from([",", ", "]))
    pairs = draw(st.dictionaries(st.sampled_from("abcdef"), values, min_size=1, max_size=4))
    members = comma.join(f'"{key}"{blank}:{blank}{value}' for key, value in pairs.items())
    return f"\\{{{blank}{members}{blank}\\}}"


def arrays(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return arrays of such values."""
    return st.lists(values, min_size=1, max_size=4).map(lambda found: f"[{', '.join(found)}]")


VALUES = st.recursive(SCALARS, lambda values: objects(values) | arrays(values), max_leaves=6)
JSON = st.builds(
    Json,
    st.sampled_from(
        ["", "<134>1 X: ", "web ", "%s{time} nss: ", "k=v data=", "n=%d{reqsize} ", "pre,"]
    ),
    objects(VALUES) | arrays(VALUES),
    st.sampled_from(["", " end"]),
)


# ---- LEEF


@st.composite
def leef(draw: st.DrawFn) -> str:
    """Return a LEEF 1.0 format with a syslog header or none, and text of its own in its values.

    That holds no quote or equals sign: who takes such for more than text would do so in each line.
    """
    value = inside().filter(lambda text: not {"'", "="} & set(text))
    header = draw(st.sampled_from(["", "%s{time} h zscaler-nss: ", "<134>"]))
    values = draw(st.lists(value | NUMBER | st.just("const"), min_size=1, max_size=5))
    pairs = "\\t".join(f"key{number}={value}" for number, value in enumerate(values))
    return f"{header}LEEF:1.0|Zscaler|NSS|%s{{dept}}|{draw(value)}|{pairs}"


def many_leef() -> st.SearchStrategy[list[str]]:
    """Return LEEF formats for readers that start slowly, and read lines of all of them at once."""
    return st.lists(leef(), min_size=1, max_size=12)
