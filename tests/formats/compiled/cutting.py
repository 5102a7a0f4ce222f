"""Lines that are too long, by chance: formats of what is cut, values for odd cuts."""

import random

import orjson

from formats.errors import FeedFormatError
from formats.language import parse
from formats.pipeline import FeedSettings
from formats.reading.json import json_names
from formats.rendering.shortening import SHORTENED_FIELDS
from tests.formats.compiled.judged import ESCAPES, Judged

OTHERS = ["login", "dept", "action", "host", "recordid", "o_url", "b64url", "b64ua", "b64referer"]
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


class LongRecords:
    """Makes batches, and sizes to which their lines are cut."""

    def __init__(self, chance: random.Random, names: list[str]) -> None:
        self._chance = chance
        self._names = names

    def batch(self) -> bytes:
        """Return some records with long values, an odd one among them at times."""
        chance = self._chance
        rows = [orjson.dumps(self._record()) for _ in range(chance.randint(1, 5))]
        if chance.random() < 0.2:
            rows.append(b"[" + b",".join(rows) + b"]")
        if chance.random() < 0.3:
            twice = b'{"login":"x","login":"x","ua":"' + b"u" * chance.randint(0, 300) + b'"}'
            rows.insert(chance.randrange(len(rows) + 1), twice)
        return b"".join(row + b"\n" for row in rows)

    def sizes(self, lines: list[bytes]) -> list[int]:
        """Return some that are shorter than a line by little or much, or just as long."""
        chance, found = self._chance, [0]
        for line in lines:
            most = len(line)
            found += [most, most - 1, most - chance.randint(0, 8), chance.randint(0, most)]
        return [max(0, size) for size in chance.sample(found, min(4, len(found)))]

    def _record(self) -> dict[str, object]:
        chance = self._chance
        names = chance.sample(self._names, chance.randint(0, len(self._names)))
        record: dict[str, object] = {name: self._text() for name in names}
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
            max_record_bytes=chance.choice([300, 9000]),
        )
        judged = Judged(json_names(), settings)
        names = sorted({*SHORTENED_FIELDS, *judged.names} - {"recordid"})
        return judged, LongRecords(chance, names)
