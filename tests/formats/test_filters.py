"""The feed filters: what each key passes, what it refuses, and a slow twin that must agree."""

import csv
import ipaddress
import tomllib
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.errors import FilterError, Problem
from formats.filters import Filter, parse
from formats.filters.keys import FILTER_KEYS, KINDS
from formats.filters.readings import MEMO_MAX_CHARS, MEMO_MAX_ENTRIES
from formats.rendering.generate import compile_predicate

NUMBER_KINDS = {"size", "score"}
NUMBERS = {f for key in FILTER_KEYS.values() if key.kind in NUMBER_KINDS for f in key.fields}
ADDRESSES = {f for key in FILTER_KEYS.values() if key.kind == "address" for f in key.fields}
ABSENT = "0.0.0.0"  # noqa: S104 - a value
IPV4 = (ABSENT, "192.0.2.0", "192.0.2.7", "192.0.2.8", "255.255.255.255")
IPV6 = ("::", "::1", "2001:db8::", "2001:DB8::ffff", "fe80::1%eth0", "::ffff:192.0.2.7")
NO_ADDRESSES = ("", "None", "192.0.2", "192.0.2.07", "192.0.2.7:80", "[::1]", "1" * 5000, "0")
FIELDS = sorted({field for key in FILTER_KEYS.values() for field in key.fields})
TEXT_KEYS = [
    key
    for key in FILTER_KEYS.values()
    if key.kind in {"text", "url", "host", "list"} and not key.choices
]


def record(**values: object) -> SimpleNamespace:
    """Return a record with placeholders for everything that is not given."""
    unknown = set(values) - set(FIELDS)
    assert unknown == set()
    placeholders = {
        field: 0 if field in NUMBERS else ABSENT if field in ADDRESSES else "None"
        for field in FIELDS
    }
    return SimpleNamespace(**placeholders | values)


def compiled(kept: Filter) -> Callable[[Any], bool]:
    """Return the predicate over records whose attributes are the fields."""
    return compile_predicate(kept.predicate, lambda field: f"r.{field}", {})


def passes(table: dict[str, object], **values: object) -> bool:
    answer = compiled(parse(table))(record(**values))
    assert isinstance(answer, bool)
    return answer


def assert_separates(
    name: str, value: object, field: str, fitting: list[Any], others: list[Any]
) -> None:
    """Check that a key passes what fits of one field, and its twin all the others."""
    offered = [*fitting, *others]
    assert [item for item in offered if passes({name: value}, **{field: item})] == fitting
    assert [item for item in offered if passes({f"not_{name}": value}, **{field: item})] == others


def problems_of(table: dict[str, object]) -> tuple[Problem, ...]:
    with pytest.raises(FilterError) as caught:
        parse(table)
    return caught.value.problems


def test_an_empty_table_passes_every_record() -> None:
    everything = parse({})
    assert everything == Filter(frozenset())
    assert everything.passes_all
    assert compiled(everything)(record())


def test_a_filter_names_the_fields_it_reads() -> None:
    kept = parse({"users": "ana@example.com", "not_public_ips": "192.0.2.1", "file_types": "ZIP"})
    assert kept.fields == {"login", "cintip", "cpubip", "filetype", "upload_filetype"}
    assert not kept.passes_all


def test_equal_tables_give_equal_filters() -> None:
    table = {"client_ips": "192.0.2.0/24", "users": ["*@example.com"], "request_size": "1KB-"}
    assert parse(table) == parse(dict(table))
    assert parse(table) != parse(table | {"request_size": "2KB-"})


def test_every_key_reads_fields_of_the_catalogue_in_their_conversion() -> None:
    text = files("formats").joinpath("catalogue.csv").read_text(encoding="utf-8")
    conversions = {row["name"]: row["conversion"] for row in csv.DictReader(text.splitlines())}
    of_catalogue = {field: conversions.get(field) for field in FIELDS}
    assert of_catalogue == {field: "d" if field in NUMBERS else "s" for field in FIELDS}
    assert {key.kind for key in FILTER_KEYS.values()} == set(KINDS)


@pytest.mark.parametrize("name", FILTER_KEYS)
def test_the_example_of_each_key_can_be_used_as_it_stands(name: str) -> None:
    key = FILTER_KEYS[name]
    for known in (name, f"not_{name}"):
        assert parse(tomllib.loads(f"{known} = {key.example}")).fields == set(key.fields)


@pytest.mark.parametrize(
    ("name", "field"), [(key.name, field) for key in TEXT_KEYS for field in key.fields]
)
def test_text_keys_take_whole_values_starts_ends_and_parts_in_any_case(
    name: str, field: str
) -> None:
    short, long, rest = ["alpha", "ALPHA"], ["alphabet"], ["None", "", " ", "lph"]
    after, around = ["my alpha"], ["my Alphabet"]
    separates = partial(assert_separates, name, field=field)
    separates("Alpha", fitting=short, others=long + after + around + rest)
    separates("alpha*", fitting=short + long, others=after + around + rest)
    separates("*alpha", fitting=short + after, others=long + around + rest)
    separates("*ALPHA*", fitting=short + long + after + around, others=rest)
    separates(["ALPHABET", "my*", "*bet", "*zz*"], fitting=long + after + around, others=short)


@pytest.mark.parametrize(
    ("name", "value", "fitting", "others"),
    [
        ("action", "blocked", ["Blocked"], ["Allowed"]),
        ("threat_severities", ["HIGH", "None"], ["High", "None"], ["Low", "Critical"]),
        ("users", "*@example.com", ["ana@EXAMPLE.com"], ["ana@example.com.test"]),
        ("departments", "Straße", ["STRASSE", "straße"], ["Strase"]),
        ("departments", "R&D, Labs", ["R&D, Labs"], ["R&D", "Labs"]),
        ("locations", "Lisbon 2", ["Lisbon 2", "Lisbon%202"], ["Lisbon"]),
        ("reason", "a'b\"\\{d}*", ["a'b\"\\{d}e"], ["a'b"]),
        ("user_agents", "*'\"\\{x}\n*", ["-'\"\\{X}\n-"], ["'"]),
        ("urls", "a.test/ä*", ["a.test/%C3%A4b", "a.test/%c3%a4", "a.test/äb"], ["a.test/a"]),
        ("urls", "*u=https://a*", ["b.test/?u=https://a/"], ["b.test/"]),
        ("urls", "*é*", ["É", "é", "%C3%89", "%c3%89", "a%C3%a9b", "xÉx"], ["e", "%C3", "%E9"]),
        ("urls", "*%C3%89*", ["É", "é", "%c3%a9"], ["C3"]),
        ("urls", "*a,b*", ["a,b", "xa%2Cb", "a%2cB"], ["a%252Cb", "ab"]),
        ("urls", "a.test/100%*", ["a.test/100%", "a.test/100%25"], ["a.test/100"]),
        ("departments", "ÉCOLE*", ["école", "École 2", "%C3%89cole"], ["ecole"]),
        ("locations", "*%ff", ["a%FF", "%ff"], ["ÿ", "%C3%BF"]),
        ("hosts", "www.a.test", ["www.a.test:443", "www.a.test"], ["a.test:443", "www.a.test:x"]),
        ("hosts", "*.a.test", ["b.A.test:8443", "c.a.test"], ["a.test", "b.a.test.test"]),
        ("hosts", "*:8443", ["a.test:8443"], ["a.test"]),
        ("dlp_dictionaries", "b", ["A|B", "b", "a | B |c"], ["AB", "a|bb", ""]),
        ("response_codes", "403", ["403", "403 - Forbidden"], ["4031", "NA", "", "x403", "٤٠٣"]),
        ("response_codes", "403 - Forbidden", ["403"], ["404", "0000004035", "9" * 5000]),
        ("response_codes", [403, "5xx"], ["403", "500", "599"], ["499", "600", "5"]),
        ("response_codes", "200-204, 301", ["200", "203", "301"], ["199", "205", "300"]),
        ("request_size", "10KB-1MB, 200", [200, 10240, 1048576], [199, 201, 10239, 1048577]),
        ("response_size", "1mb-", [1048576, 1 << 80], [1048575, 0, -1]),
        ("transaction_size", [5, "1 GB", "7B - 9B"], [5, 7, 9, 1 << 30], [4, 6, 10, -1]),
        ("request_size", "0,2,4,6,8,10,12,14,16,18-", [0, 2, 16, 18, 99], [-1, 1, 15, 17]),
        ("page_risk", "0, 46-74", [0, 46, 74], [1, 45, 75, 100]),
        ("page_risk", ["90-", 5], [5, 90, 100], [4, 89, 101]),
    ],
)
def test_values_pass_as_their_kind_says(
    name: str, value: object, fitting: list[Any], others: list[Any]
) -> None:
    assert_separates(name, value, FILTER_KEYS[name].fields[0], fitting, others)


@pytest.mark.parametrize(
    ("value", "fitting"),
    [
        ("192.0.2.7", {"192.0.2.7", "::ffff:192.0.2.7"}),
        ("::ffff:192.0.2.7", {"192.0.2.7", "::ffff:192.0.2.7"}),
        ("192.0.2.0/29", {"192.0.2.0", "192.0.2.7", "::ffff:192.0.2.7"}),
        ("192.0.2.7 - 192.0.2.8", {"192.0.2.7", "192.0.2.8", "::ffff:192.0.2.7"}),
        ("0.0.0.0/0", {*IPV4, "::ffff:192.0.2.7"}),
        ("::/0", set(IPV6) - {"::ffff:192.0.2.7"}),
        ("2001:db8::/112", {"2001:db8::", "2001:DB8::ffff"}),
        ("2001:0db8:0:0::0-2001:db8::5", {"2001:db8::"}),
        ("fe80::/10, 192.0.2.8", {"192.0.2.8", "fe80::1%eth0"}),
        (["255.255.255.255", "::"], {"255.255.255.255", "::"}),
        ([f"192.0.2.{last}" for last in range(0, 250, 4)], {"192.0.2.0", "192.0.2.8"}),
        ("203.0.113.0/24", set()),
    ],
)
@pytest.mark.parametrize(("name", "field"), [("client_ips", "cip"), ("server_ips", "sip")])
def test_addresses_pass_alone_in_ranges_and_in_networks(
    name: str, field: str, value: object, fitting: set[str]
) -> None:
    offered = [*IPV4, *IPV6, *NO_ADDRESSES]
    inside = [address for address in offered if address in fitting]
    assert_separates(
        name, value, field, inside, [address for address in offered if address not in fitting]
    )


def test_a_key_of_two_fields_holds_if_one_fits_and_its_twin_if_none_does() -> None:
    public: dict[str, object] = {"public_ips": "203.0.113.0/24"}
    assert passes(public, cintip="203.0.113.9")
    assert passes(public, cpubip="203.0.113.9")
    assert not passes(public, cip="203.0.113.9")
    assert not passes({"not_public_ips": "203.0.113.0/24"}, cintip="203.0.113.9")
    assert not passes({"not_file_types": "ZIP"}, filetype="RAR", upload_filetype="zip")
    assert passes({"not_file_types": "ZIP"}, filetype="RAR", upload_filetype="None")


@pytest.mark.parametrize(
    ("addresses", "value", "expected"),
    [
        (("203.0.113.9", ABSENT), "0.0.0.0/0", True),
        ((ABSENT, "203.0.113.9"), "0.0.0.0/0", True),
        (("203.0.113.9", ABSENT), ABSENT, False),
        (("203.0.113.9", ABSENT), "0.0.0.0/8", False),
        ((ABSENT, "203.0.113.9"), "0.0.0.0-198.51.100.0", False),
        (("2001:db8::1", ABSENT), "0.0.0.0/0", False),
        (("2001:db8::1", "203.0.113.9"), "0.0.0.0/0", True),
        ((ABSENT, ABSENT), ABSENT, True),
        ((ABSENT, "NA"), "0.0.0.0/0", True),
        (("", ABSENT), "0.0.0.0/0", True),
        (("NA", "None"), "0.0.0.0/0", False),
        ((ABSENT, "x"), "0.0.0.0/0", False),
        (("192.0.2.7:80", ABSENT), "0.0.0.0/0", False),
        (("192.0.2.7", "x"), "0.0.0.0/0", True),
    ],
)
def test_an_absent_address_counts_only_if_the_record_has_no_other(
    addresses: tuple[str, str], value: str, *, expected: bool
) -> None:
    cintip, cpubip = addresses
    assert passes({"public_ips": value}, cintip=cintip, cpubip=cpubip) is expected
    assert passes({"not_public_ips": value}, cintip=cintip, cpubip=cpubip) is not expected


def test_an_absent_file_type_counts_only_if_the_record_has_no_other() -> None:
    for value in ("None", ["n*", "*zz*"], "*ON*"):
        table: dict[str, object] = {"file_types": value}
        assert passes(table, filetype="None", upload_filetype="None")
        assert not passes(table, filetype="ZIP", upload_filetype="None")
        assert not passes(table, filetype="None", upload_filetype="ZIP")
    assert passes({"not_file_types": "None"}, filetype="None", upload_filetype="ZIP")
    assert passes({"file_types": ["None", "ZIP"]}, filetype="None", upload_filetype="ZIP")


def test_all_keys_must_hold() -> None:
    table: dict[str, object] = {
        "departments": ["Sales", "HR"],
        "not_cloud_apps": "Dropbox",
        "cloud_apps": ["D*", "Box"],
        "response_size": "1KB-",
    }
    fitting: dict[str, object] = {"dept": "hr", "appname": "DocuSign", "respsize": 1024}
    assert passes(table, **fitting)
    assert not passes(table, **fitting | {"dept": "Finance"})
    assert not passes(table, **fitting | {"appname": "dropbox"})
    assert not passes(table, **fitting | {"appname": "Egnyte"})
    assert not passes(table, **fitting | {"respsize": 1023})


def test_fields_are_looked_up_through_the_expressions_given() -> None:
    kept = parse({"users": "*@example.com", "client_ips": "192.0.2.1", "page_risk": "50-"})
    values = {"login": None, "cip": "192.0.2.1", "riskscore": "70"}
    expressions = {
        "login": "r['login'] or missing",
        "cip": "r['cip']",
        "riskscore": "number(r['riskscore'])",
    }
    namespace = {"missing": "ana@example.com", "number": int}
    predicate = compile_predicate(kept.predicate, expressions.__getitem__, namespace)
    assert predicate(values)
    assert predicate(values | {"login": "BOB@EXAMPLE.COM"})
    assert not predicate(values | {"login": "None"})
    assert not predicate(values | {"riskscore": "49"})
    assert set(namespace) == {"missing", "number"}


def test_thousands_of_values_compile_and_pass() -> None:
    words = [f"*part{number:05}*" for number in range(5_000)]
    networks = [f"10.{number >> 8}.{number & 255}.0/25" for number in range(5_000)]
    kept = parse({"urls": words, "client_ips": networks, "users": [w.strip("*") for w in words]})
    predicate = compiled(kept)
    fitting = {"eurl": "example.com/part04999", "cip": "10.19.135.127", "login": "part04999"}
    assert predicate(record(**fitting))
    assert not predicate(record(**fitting | {"cip": "10.19.135.128"}))


def test_answers_are_remembered_for_a_bounded_number_of_short_values() -> None:
    kept = parse({"client_ips": "10.0.0.0/8"})
    predicate = compile_predicate(kept.predicate, lambda _: "r", {})
    memo = next(v for name, v in predicate.__globals__.items() if name.startswith("_f"))
    for number in range(MEMO_MAX_ENTRIES + 10):
        assert predicate(str(ipaddress.IPv4Address((10 << 24) + number)))
    assert len(memo) == 10
    assert not predicate("x" * (MEMO_MAX_CHARS + 1))
    assert not predicate("x" * MEMO_MAX_CHARS)
    assert len(memo) == 11


def test_all_problems_of_a_table_are_reported_at_once() -> None:
    text = "must be text, or a list of texts"
    code, size, score = (f"must be {KINDS[kind]}" for kind in ("code", "size", "score"))
    order = "ends before it begins; write the smaller value first"
    mixed = "mixes IPv4 and IPv6; both ends must be of the same kind"
    nothing = "matches nothing or everything; leave it out"
    wrong: dict[str, list[tuple[object, str]]] = {
        "action": [("Block", "must be one of Allowed, Blocked")],
        "departments": [(5, text), (True, text), (None, text)],
        "locations": [
            *(("", nothing), ("*", nothing), ("**", nothing)),
            ("a*b", "has a * inside; a * may only come first or last"),
        ],
        "urls": [("HTTPS://a.test/b", "records carry no scheme; write a.test/b")],
        "dlp_dictionaries": [("A|B", "holds a |; write each member as a value of its own")],
        "client_ips": [
            ("192.0.2.1/24", "is not a network address; write 192.0.2.0/24 or a single address"),
            *(("192.0.2.1-2001:db8::", mixed), ("::-::ffff:192.0.2.1", mixed)),
            *(("192.0.2.9-192.0.2.1", order), ("host", f"must be {KINDS['address']}")),
        ],
        "response_codes": [("40", code), ("4x", code), ("499-400", order), (True, code)],
        "request_size": [("1TB", size), ("-5", size), ("2KB-1KB", order), (1.5, size), ("", size)],
        "page_risk": [("101", score), ("5KB", score), ("50-101", score), ("-1", score)],
    }
    unknown = {
        "user": "unknown key; the nearest is users",
        "not_user": "unknown key; the nearest is not_users",
        "ehost": "unknown key; the nearest is hosts",
        "not_login": "unknown key; the nearest is not_users",
        "qqqq": "unknown key",
    }
    table = {name: [value for value, _ in pairs] for name, pairs in wrong.items()}
    assert problems_of({**table, **dict.fromkeys(unknown, "x"), "users": []}) == (
        *(Problem(name, value, reason) for name, pairs in wrong.items() for value, reason in pairs),
        *(Problem(name, "x", reason) for name, reason in unknown.items()),
        Problem("users", [], "has no values; leave the key out to pass everything"),
    )


def test_each_of_several_values_in_one_text_is_judged_alone() -> None:
    assert problems_of({"client_ips": ["192.0.2.1, a,b", "2001:db8::1"], "page_risk": "7,,8"}) == (
        Problem("client_ips", "a", f"must be {KINDS['address']}"),
        Problem("client_ips", "b", f"must be {KINDS['address']}"),
        Problem("page_risk", "", f"must be {KINDS['score']}"),
    )


SCALARS = st.text() | st.integers() | st.none() | st.booleans() | st.floats()
LOOKALIKES = st.from_regex(r"\A[0-9a-f:./KMBx%, *-]+\Z")
VALUES = SCALARS | LOOKALIKES | st.lists(SCALARS | LOOKALIKES)


@given(st.dictionaries(st.sampled_from(sorted(FILTER_KEYS)), VALUES))
def test_any_table_gives_a_filter_or_a_filter_error(table: dict[str, object]) -> None:
    try:
        kept = parse(table)
    except FilterError as error:
        keys = {problem.key for problem in error.problems}
        assert keys
        assert keys <= set(table)
        return
    predicate = compiled(kept)
    assert predicate(record()) in {True, False}


# What follows is the slow twin: it works from the written values, one record and key at a time.

UNITS = {"KB": 1024, "MB": 1024**2, "GB": 1024**3}


def amount(text: str) -> int:
    unit = text[-2:].upper()
    return int(text[:-2]) * UNITS[unit] if unit in UNITS else int(text)


def number_fits(written: str, number: int) -> bool:
    first, dash, last = written.partition("-")
    return amount(first) <= number and (
        number <= amount(last) if last else bool(dash) or number == amount(first)
    )


def text_fits(written: str, text: str) -> bool:
    word, value = written.strip("*").upper(), text.upper()
    if written.startswith("*") and written.endswith("*"):
        return word in value
    if written.startswith("*"):
        return value[-len(word) :] == word
    return value[: len(word)] == word if written.endswith("*") else value == word


def address_fits(written: str, text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if "-" not in written:
        return address in ipaddress.ip_network(written)
    first, last = map(ipaddress.ip_address, written.split("-"))
    return first.version == address.version and int(first) <= int(address) <= int(last)


def code_fits(written: str, text: str) -> bool:
    digits = text.partition(" ")[0]
    if len(digits) != 3 or not set(digits) <= set("0123456789"):
        return False
    if written.endswith("xx"):
        return digits[0] == written[0]
    return number_fits(written, int(digits))


def value_fits(kind: str, written: str, value: Any) -> bool:  # noqa: ANN401 - text or number
    match kind:
        case "size" | "score":
            return number_fits(written, value)
        case "address":
            return address_fits(written, value)
        case "code":
            return code_fits(written, value)
        case "list":
            return any(text_fits(written, member) for member in value.split("|"))
        case "host":
            host, _, port = value.rpartition(":")
            readings = [value, host] if port and set(port) <= set("0123456789") else [value]
            return any(text_fits(written, reading) for reading in readings)
    return text_fits(written, value)


def is_stated(kind: str, value: Any) -> bool:  # noqa: ANN401 - text or number
    if kind == "address":
        return value != ABSENT and value.casefold() not in NO_ADDRESS_WORDS
    return bool(value != "None")


def slowly_passes(table: dict[str, list[str]], sent: SimpleNamespace) -> bool:
    for name, values in table.items():
        key = FILTER_KEYS[name.removeprefix("not_")]
        sent_values = [getattr(sent, field) for field in key.fields]
        stated = [value for value in sent_values if is_stated(key.kind, value)]
        fits = any(
            value_fits(key.kind, written, value)
            for written in values
            for value in stated or sent_values
        )
        if fits == name.startswith("not_"):
            return False
    return True


NO_ADDRESS_WORDS = {"", "none", "na", "n/a", "unknown"}
WORDS = st.text("abAB:1.", min_size=1, max_size=3)
SMALL = st.integers(0, 9).map(str)
CODES = st.sampled_from(["200", "204", "299", "301", "403", "404", "499", "500"])
IPS = st.sampled_from([*IPV4, "192.0.2.127", "192.0.2.128", "::", "::1", "2001:db8::1"])
NETWORKS = st.sampled_from(
    ["192.0.2.0/25", "192.0.2.0/31", "0.0.0.0/0", "128.0.0.0/1", "::/0", "::/127", "2001:db8::/32"]
)


def address_order(text: str) -> tuple[bool, int]:
    return ":" in text, int(ipaddress.ip_address(text))


def spans(ends: st.SearchStrategy[str], order: Callable[[str], Any]) -> st.SearchStrategy[str]:
    return st.tuples(ends, ends).map(lambda two: "-".join(sorted(two, key=order)))


def one_kind(written: str) -> bool:
    return len({ipaddress.ip_address(end).version for end in written.split("-")}) == 1


STARS = st.sampled_from(["", "*"])
PATTERNS = st.tuples(STARS, WORDS, STARS).map("".join)
WRITTEN: dict[str, st.SearchStrategy[str]] = {
    **dict.fromkeys(("text", "url", "host", "list"), PATTERNS),
    "address": IPS | NETWORKS | spans(IPS, address_order).filter(one_kind),
    "code": CODES | spans(CODES, int) | st.sampled_from(["2xx", "4xx"]),
    "size": SMALL
    | spans(SMALL, int)
    | SMALL.map(lambda n: n + "-")
    | SMALL.map(lambda n: n + "KB"),
    "score": SMALL | spans(SMALL, int),
}
SENT: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("text", "url"), WORDS | st.text()),
    "host": WORDS | st.text() | WORDS.map(lambda host: host + ":1"),
    "list": st.lists(WORDS).map("|".join) | st.text(),
    "address": IPS | st.text(),
    "code": CODES | CODES.map(lambda code: code + " - Why") | st.text(),
    **dict.fromkeys(("size", "score"), st.integers(0, 9) | st.integers()),
}


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[str]]:
    names = draw(st.lists(st.sampled_from(sorted(FILTER_KEYS)), max_size=3, unique=True))
    keys = [FILTER_KEYS[name] for name in names]
    return {
        draw(st.sampled_from(["", "not_"])) + key.name: draw(
            st.lists(
                st.sampled_from(key.choices) if key.choices else WRITTEN[key.kind],
                min_size=1,
                max_size=12,
            )
        )
        for key in keys
    }


@given(st.data())
def test_the_predicate_never_raises_and_agrees_with_the_slow_twin(data: st.DataObject) -> None:
    table = data.draw(tables())
    predicate = compiled(parse(dict(table)))
    for _ in range(3):
        sent = {
            field: data.draw(st.sampled_from(key.choices) if key.choices else SENT[key.kind])
            for name in table
            for key in [FILTER_KEYS[name.removeprefix("not_")]]
            for field in key.fields
        }
        tested = record(**sent)
        assert predicate(tested) is slowly_passes(table, tested)


@pytest.mark.parametrize("unit", ["kb", "Kb", "KB"])
def test_a_unit_is_named_as_it_is_usually_written(unit: str) -> None:
    (sentence,) = parse({"request_size": f"1{unit}-"}).doubts
    assert "KB is 1,024 bytes" in sentence
    assert sentence.endswith("write KiB")
