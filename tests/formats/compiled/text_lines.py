"""Lines of text for the core and its judge: of presets, and of formats by chance, often odd."""

import random

from formats import presets
from formats.errors import FeedFormatError, NotReadable
from formats.fields import TIME_FIELDS, catalogue
from formats.language import FeedFormat, Literal, Slot, parse
from formats.pipeline import FeedSettings
from formats.reading import Input
from formats.reading.lines import line_format
from formats.reading.recognise import input_of
from formats.structure import LineKind, structure_of
from formats.times import zone
from tests.formats.compiled.filtering import random_filter
from tests.formats.compiled.judged import ESCAPES, HEADERS, Judged, damage, is_number, random_format

TEXTS = [
    "None", "ana", "", " ", "a b", "a=b", "http://e.com/?a=1&b=%20x", "Zoë 中", "\U0001f600",
    "x" * 33,
    "Allowed", "10.1.2.3", "GET", "fe80::1", "High", "Sanctioned", "200", "a:b", "C:\\dir", "say",
]  # fmt: skip
ODD_TEXTS = [
    "a\tb", '"', '""', 'a "b" c', "\\", "a\\", "a\\\\b", "\x00", "a\x01b", "\x7f", "\x85", "\u2028",
    "\r", "a\rb", ",", '","', '",', ',"', "a,b", "^", "^^", "^^^", "a^", "|", "||", ";", "~", "=",
    "=x", "#0=x", "#event_id=x", "LEEF:1.0|", "LEEF:2.0|a|b|c|d|^|", "LLLEEF:1.0|a|b|c|d|",
    "\ufeff",
    "\xa0", "\x0b", "a" * 200 + "é", "\u212a", "bloc\u212aed", "blocked", "x\tlogin=root",
    "x^^user=root", "x\taction=Blocked\taction=Blocked", "é=é", "k" * 250 + "=1", "<1>", "{", "[{",
    'x","y","z', "medium", "1:2", "12345:ab", "1.2.3", "1.2.3.4.5", "::", "a::", "DELETE",
]  # fmt: skip
NUMBERS = ["0", "7", "12", "4294967296", "6900000000000000123", "-7", "None", "NA", "", "-"]
ODD_NUMBERS = [
    "007", "+7", "-0", " 7", "7 ", "1.0", "1e3", "9223372036854775808", "9" * 41, "n/a", "x",
    "\u0667",
    "7\t8", "NULL", "0x1f", "1,5", "^^", '7"', "\u01547", "7\r",
]  # fmt: skip
TIMES = {
    "time": ["Fri Oct  6 09:05:08 2023", "Fri Oct  6 09:05:09 2023", "2023-10-06T09:05:08Z",
    "None"],
    "mon": ["Oct", "Jan"], "dd": ["06", " 6", "6"], "hh": ["09", "9"], "mm": ["05"], "ss": ["08"],
    "yy": ["2023"], "yyyy": ["2023"], "mth": ["10"], "tz": ["GMT", "CEST", "Europe/Berlin", ""],
    "day": ["Fri"], "epochtime": ["1696583108", "1696583109"],
}  # fmt: skip
ODD_TIMES = ["", "99", "nowhere", "é", "\t", '"', "\\", "x" * 90, "Oct 10 12:00:00 h ", "\x85"]
ENDS = ["\r\n", "\n\n", "\n \t\n", "", "\r\r\n", "\x00\n", "\x85\n", " \n", "\x0c\n", "\n\ufeff\n"]


class HostileLines:
    """Makes batches of lines of a format; `oddity` is how likely each thing in them is odd."""

    def __init__(self, chance: random.Random, feed_format: FeedFormat) -> None:
        self._chance = chance
        self._parts = feed_format.parts
        self._separator = structure_of(feed_format).separator or "|"
        self._oddity = 0.0

    def batch(self) -> bytes:
        """Return some lines, most of them nearly records."""
        chance = self._chance
        self._oddity = chance.choice([0, 0, 0.005, 0.01, 0.05, 0.3])
        headers = chance.random() < 0.2
        rows = []
        for _ in range(chance.randint(1, 6)):
            line = self.line()
            if headers or self._odd(2):
                line = chance.choice(HEADERS) + line
            rows.append(line + (chance.choice(ENDS) if self._odd(3) else "\n"))
        data = bytearray("".join(rows).encode("utf-8", "surrogatepass"))
        for _ in range(3):
            if self._odd():
                damage(self._chance, data, BITS)
        return bytes(data)

    def line(self) -> str:
        """Return a line without its end."""
        pieces = [
            part.text if isinstance(part, Literal) else self._value(part) for part in self._parts
        ]
        line = "".join(pieces)
        return self._moved(line) if self._odd(5) else line

    def _odd(self, times: float = 1) -> bool:
        return self._chance.random() < self._oddity * times

    def _value(self, slot: Slot) -> str:
        chance, name = self._chance, slot.field.name
        if name in TIMES:
            return chance.choice(ODD_TIMES) if self._odd() else chance.choice(TIMES[name])
        if is_number(name):
            usual = NUMBERS[:6] if chance.random() < 0.9 else NUMBERS
            return chance.choice(ODD_NUMBERS) if self._odd() else chance.choice(usual)
        if self._odd():
            return chance.choice(TEXTS) + chance.choice(ODD_TEXTS)
        return chance.choice(ODD_TEXTS) if self._odd() else chance.choice(TEXTS)

    def _moved(self, line: str) -> str:
        """Return a line with pieces in another order, twice, or gone."""
        chance = self._chance
        pieces = line.split(self._separator)
        at = chance.randrange(len(pieces))
        match chance.randrange(5):
            case 0:
                chance.shuffle(pieces)
            case 1:
                pieces.insert(chance.randrange(len(pieces) + 1), pieces[at])
            case 2:
                del pieces[at]
            case 3:
                key = pieces[at].partition("=")[0]
                pieces.append(f"{key}={chance.choice(TEXTS)}")
            case _:
                pieces.insert(at, chance.choice(ODD_TEXTS))
        return self._separator.join(pieces)


BITS = [b'"', b"\t", b"=", b",", b"^", b"\r", b"\xe2\x80", b"\xc2"]

LEEF = [
    "LEEF:1.0|Z|N|4|%s{reason}|", "<134>h: LEEF:1.0|%s{dept}|N|4|x|",
    "LEEF:2.0|Z|N|4|%s{reason}|^|",
    "LEEF:2.0|Z|N|4|x|0x7E|", "LEEF:2.0|Z|N|4|%s{reason}|", "%s{time} LEEF:1.0|Z|N|4|%s{reason}|",
]  # fmt: skip
SEPARATORS = ["\\t", "^^", ";", "|", "~", "||", ", ", "; ", "^", "^|^", "é", "#"]


def random_lines_format(chance: random.Random) -> str:
    """Return a format string of pairs or columns, which may be refused."""
    names = chance.sample(sorted(set(catalogue()) - TIME_FIELDS), chance.randint(1, 12))
    names.insert(chance.randrange(len(names) + 1), chance.choice(["time", "epochtime"]))
    specs = [f"%{'d' if is_number(name) else 's'}{{{name}}}" for name in names]
    if chance.random() < 0.03:
        specs[0] = chance.choice(["%06d{reqsize}", "%x{recordid}", "%s{mon} %02d{dd}", "%s{tz}"])
    length = chance.choice([5, 20, 20])
    pairs = [f"{name[:length]}={spec}" for name, spec in zip(names, specs, strict=True)]
    kind = chance.randrange(5)
    if kind == 0:
        head = chance.choice(LEEF)
        separator = "^" if "|^|" in head else "~" if "7E" in head else "\\t"
        return head + separator.join(pairs)
    if kind == 1:
        mixed = [
            spec if chance.random() < 0.15 else pair
            for spec, pair in zip(specs, pairs, strict=True)
        ]
        head = chance.choice(["", "", "", "<134>1 X: ", "h "])
        return head + chance.choice(SEPARATORS).join(mixed)
    if kind == 2:
        return '"' + '","'.join(specs) + '"'
    return ("," if kind == 3 else "\\t").join(specs)


def random_output(chance: random.Random, source: Input) -> str:
    """Return a format string that prints fields of an input, and perhaps others."""
    if chance.random() < 0.3:
        return presets.text(chance.choice(presets.names()))
    if chance.random() < 0.2:
        return random_format(chance)
    names = sorted(source.available)
    chosen = chance.sample(names, min(len(names), chance.randint(1, 12)))
    specs = [f"{name}=%{'d' if is_number(name) else 's'}{{{name}}}" for name in chosen]
    return chance.choice(["", "%s{time} "]) + chance.choice(["\\t", "|", ","]).join(specs)


def random_lines_pair(chance: random.Random) -> tuple[Judged, HostileLines]:
    """Return a pair of pipelines from lines of some format to another, and batches for it."""
    while True:
        name = chance.choice(presets.names())
        text = presets.text(name) if chance.random() < 0.4 else random_lines_format(chance)
        if chance.random() < 0.1:
            text = random_format(chance)
        try:
            feed_format = parse(text)
            is_json = structure_of(feed_format).kind is LineKind.JSON
            alone = not is_json and chance.random() < 0.1
            source = line_format(feed_format, alone=True) if alone else input_of(feed_format)
            output = parse(random_output(chance, source))
        except (FeedFormatError, NotReadable):
            continue
        settings = FeedSettings(
            output,
            filter=random_filter(chance),
            zone=zone(chance.choice(["GMT", "Europe/Berlin"])),
            escape_characters=chance.choice(ESCAPES),
            protect_separators=chance.random() < 0.8,
            max_record_bytes=chance.choice([300, 9000]),
        )
        return Judged(source, settings), HostileLines(chance, feed_format)
