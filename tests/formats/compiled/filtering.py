"""Filters by chance, and values that they are likely to decide about."""

import random
from itertools import chain

from formats import filters
from formats.errors import FilterError
from formats.filters import Filter
from formats.filters.keys import FILTER_KEYS, FilterKey

KIND_OF = {field: key.kind for key in FILTER_KEYS.values() for field in key.fields}

WORDS = [
    "None", "a b", "a|b=c;d,e", "x", "\xe9\xe4\u4e2d", "stra\xdfe", "STRASSE", "%C3%A9", "%0A",
    "\u0130", "\u0390", "\U0001f600", "\xc9", "\u212a", "%ff", "abc", "YWJj", "http", "HTTP",
    "\u1e9e", "\u10a0", "\u0149", "%41", "a", "%", "%25", "\\", "Blocked", "7", "\u2028", "\t",
]  # fmt: skip
TEXTS = [
    '"abc"', '"ABC"', '"%61bc"', '"%41%42%43"', '"stra\xdfe"', '"STRASSE"', '"Stra%C3%9Fe"',
    '"%C3"', '"%C3%A"', '"%E4%B8%AD\xe9"', '"%F0%9F%98%80"', '"%ED%A0%80"', '"%25%34%31"',
    '"%2541"',
    '"\\u0130"', '"\u0390x"', '"\u212a"', '"k"', '"K"', '"\u1e9e"', '"\u10a0"', '"\u0149"', '"%"',
    '"%4"', '"%4\xe9"', '"%C3\xa9"', '"\\u00c9"', '"\\uFB01"', '"\\u0000abc"', '"\U00020000"',
    '"' + "A" * 17 + 'bc"', '"' + "zZ@[`{" * 4 + '"', '"\\\\xff"', '"Blocked"', '"BLOCKED"', '""',
]  # fmt: skip
HOSTS = [
    '"abc:80"', '"ABC:8080"', '"abc:"', '"abc:80:90"', '":80"', '"abc%3A80"', '"abc:%380"', '"80"',
    '"abc:80\\n"', '"abc:\u0668"', '"\xe9:80"', '"%C3%A9:1"', '"a b:80"', '":"', '"x:80 "', '"%:8"',
]  # fmt: skip
HOST_WORDS = ["abc", "abc:80", "\xe9", "*:80", "*:8*", "a b", "%C3%A9", "abc:80:90", "80", "%3A80"]
LISTS = [
    '"abc|x"', '" ABC | x "', '"|"', '"||x||"', '"x|"', '"x%7Cabc"', '"\\u001cabc\\u001f|\\t"',
    '"\xa0abc\xa0|x"', '"\\u000babc"', '"x| stra\xdfe"', '" "', '"abc\\u0000"', '"\\u0085x|abc"',
]  # fmt: skip
CODES = [
    "200", '"200"', '"403 - Forbidden"', '"0000403"', '"000000403"', '"0000000403"', '"40"',
    '"4x3"',
    '"\u0664\u0660\u0663"', '" 403"', '"-403"', "-403", '"999999999"', '"NA"', '""', "403",
    '"404\\n"',
]  # fmt: skip
ADDRESSES = [
    '"192.0.2.7"', '"192.0.2.07"', '"192.0.2"', '"192.0.2.7.1"', '"192.0.2.256"', '"192.0.2.0007"',
    '"0.0.0.0"', '"255.255.255.255"', '"192.0.2.7:80"', '"::"', '"::1"', '"1::"',
    '"::ffff:192.0.2.7"',
    '"::FFFF:c000:207"', '"::192.0.2.7"', '"2001:db8::"', '"2001:DB8::ffff"', '"2001:db8::1%eth0"',
    '"1:2:3:4:5:6:7:8"', '"1:2:3:4:5:6:7::"', '"::2:3:4:5:6:7:8"', '"1::3:4:5:6:7:8"',
    '"1:2:3:4::8"',
    '"1:2:3:4:5:6:7:8:9"', '"1:2:3:4:5:6:7"', '"1::2::3"', '":::"', '":1"', '"1:"',
    '"1:2:3:4:5:6:1.2.3.4"',
    '"1:2:3:4:5:6:7:1.2.3.4"', '"::1.2.3.4:5"', '"::12345"', '"::g"', '"1::2:3:4:5:6:7:8"',
    '"::1/64"',
    '"192.0.2.7/32"', '" 192.0.2.7"', '"192.0.2.7 "', '"\u0661.0.2.7"', '"None"', '"NA"', '""', "0",
    '"fe80::1"', '"::ffff:0:0"', '"::ffff:ffff:ffff"', '"::1:0:0"',
    '"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"',
    '"' + "0" * 130 + '"', '"' + ":" * 130 + '"', '"1::1.2.3"', '"::1.2.3.04"',
    '"0:0:0:0:0:ffff:1.2.3.4"',
]  # fmt: skip
RANGES = {
    "address": [
        "192.0.2.7", "192.0.2.0/24", "0.0.0.0/0", "0.0.0.0", "::/0", "2001:db8::/32", "::1",  # noqa: S104 - values
        "::ffff:0:0/96",
        "1:2:3:4:5:6:7:0-1:2:3:4:5:6:7:ffff", "fe80::/10", "255.255.255.255", "::",
        "1.2.3.0-1.2.3.9",
        "::1:0:0", "ffff::/16",
    ],
    "code": ["200", "4xx", "403 - Forbidden", "400-499", "999", "000-100"],
    "size": ["0", "7", "1KB-", "0-64KB", "5000", "999999999999999999GB-",
    "0-999999999999999999GB", "7-8"],
    "score": ["7", "0", "0-100", "90-", "46-74"],
}  # fmt: skip
USUAL = {"host": HOSTS, "list": LISTS, "code": CODES, "address": ADDRESSES}


def values_for(field: str) -> list[str]:
    """Return texts of JSON for a field that filters read; none for numbers and other fields."""
    kind = KIND_OF.get(field)
    if kind is None or kind in {"size", "score"}:
        return []
    return [*TEXTS, *USUAL.get(kind, []) * 3]


def random_filter(chance: random.Random) -> Filter | None:
    """Return a filter of some keys, `None` for none."""
    if chance.random() < 0.4:
        return None
    likely = ["users", "client_ips", "public_ips", "hosts", "urls", "file_types", "response_codes"]
    names = chance.sample([*FILTER_KEYS, *likely * 3], chance.randint(1, 3))
    return filters.parse(dict(chain.from_iterable(_entry(chance, name) for name in names)))


def _entry(chance: random.Random, name: str) -> list[tuple[str, object]]:
    key = FILTER_KEYS[name]
    name = chance.choice([name, f"not_{name}"])
    values = [_value(chance, key) for _ in range(chance.choice([1, 1, 2, 3, 12]))]
    try:
        filters.parse({name: values})
    except FilterError:  # a word that this key refuses
        return []
    return [(name, values)]


def _value(chance: random.Random, key: FilterKey) -> str:
    if key.kind in RANGES:
        return chance.choice(RANGES[key.kind])
    if key.choices:
        return chance.choice(key.choices)
    if key.kind == "host" and chance.random() < 0.6:
        return chance.choice(HOST_WORDS)
    form = chance.choice(["{}", "{}", "{}*", "*{}", "*{}*"])
    return form.format(chance.choice(WORDS))
