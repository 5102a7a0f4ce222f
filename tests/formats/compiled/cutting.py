"""Lines that are too long, by chance: formats of what is cut, values for odd cuts."""

import random

import msgspec

from formats.errors import FeedFormatError
from formats.language import parse
from formats.pipeline import FeedSettings
from formats.reading.json import json_names
from formats.rendering.shortening import SHORTENED_FIELDS
from formats.values import to_base64
from tests.formats.compiled.judged import ESCAPES, Judged

OTHERS = ["login", "dept", "action", "host", "recordid", "o_url", "b64url", "b64ua", "b64referer"]
KEYS = [
    ["url", "eurl", "b64url"], ["referer", "ereferer", "b64referer"], ["ua", "eua", "b64ua"],
    ["login", "elogin", "b64login"], ["dept"], ["action"], ["eurlpath"], ["erefererpath"],
]  # fmt: skip
"""Of each a record has one at most: they would have to say the same."""
HEADS = [
    "",
    "",
    "",
    "LEEF:1.0|Z|N|4|%s{url}|",
    "LEEF:2.0|Z|N|4|%s{ua}|^|",
    "CEF:0|a|b|c|%s{ua}|%s{url}|3|",
]
GLUE = [
    "|",
    "\\t",
    "",
    "",
    ",",
    " ",
    "^",
    "=",
    '","',
    "\\\\",
    "[",
    "\\\\|",
    ". ",
    "\xe9",
    "%%",
    " k=",
]
BITS = [
    "a", "bc", "d" * 17, "\xe9", "\u4e2d", "\U0001f600", "%20", "%", "%4", "%C3%A9", "\\", "|", " ",
    "\t", "=", "]", "[", ".", '"', ",", "/", "%zz", "%5C", "\x85", "\u2028", "?", "None",
]  # fmt: skip


def sizes_for(chance: random.Random, lines: list[bytes]) -> list[int]:
    """Return some sizes that are less than those of lines by little or much, or the same."""
    found = [0]
    for line in lines:
        most = len(line)
        found += [most, most - 1, most - chance.randint(0, 8), chance.randint(0, most)]
    return [max(0, size) for size in chance.sample(found, min(4, len(found)))]


class LongRecords:
    """Makes batches of records with long values."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def batch(self) -> bytes:
        """Return some records with long values, an odd one among them at times."""
        chance = self._chance
        rows = [msgspec.json.encode(self._record()) for _ in range(chance.randint(1, 5))]
        if chance.random() < 0.2:
            rows.append(b"[" + b",".join(rows) + b"]")
        if chance.random() < 0.3:
            twice = b'{"login":"x","login":"x","ua":"' + b"u" * chance.randint(0, 300) + b'"}'
            rows.insert(chance.randrange(len(rows) + 1), twice)
        return b"".join(row + b"\n" for row in rows)

    def _record(self) -> dict[str, object]:
        chance = self._chance
        record: dict[str, object] = {}
        for keys in chance.sample(KEYS, chance.randint(0, len(KEYS))):
            key = chance.choice(keys)
            text = self._text()
            record[key] = to_base64(text) if key.startswith("b64") else text
        return record | {"recordid": 7, "epochtime": 1696583108}

    def _text(self) -> str:
        chance = self._chance
        some = chance.choices(BITS, k=chance.choice([0, 1, 3, 20, 60]))
        return "".join(some) + chance.choice(["", "", "\\", "%", "\\\\"])


def random_long_pair(chance: random.Random) -> tuple[Judged, LongRecords]:
    """Return a pair of pipelines for a format by chance, and batches for it."""
    while True:
        names = chance.choices(sorted(SHORTENED_FIELDS), k=chance.randint(0, 5))
        names += chance.sample(OTHERS, chance.randint(0, 3))
        names += chance.choices(sorted(SHORTENED_FIELDS), k=20) if chance.random() < 0.05 else []
        chance.shuffle(names)
        specs = [f"%{'d' if name == 'recordid' else 's'}{{{name}}}" for name in names]
        glue = chance.choices(GLUE, k=chance.randint(1, 4))
        text = chance.choice(HEADS) + "".join(spec + chance.choice(glue) for spec in specs)
        try:
            feed_format = parse(text)
        except FeedFormatError:
            continue
        settings = FeedSettings(
            feed_format,
            escape_characters=chance.choice(ESCAPES),
            protect_separators=chance.random() < 0.8,
        )
        return Judged(json_names(), settings), LongRecords(chance)
