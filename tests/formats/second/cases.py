"""Random cases: format strings of every kind and broken ones, hostile records, settings."""

import base64
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from formats import presets
from tests.formats.second import language, material, read, render
from tests.formats.second.filters import KEYS
from tests.formats.second.language import FIELDS
from tests.formats.second.material import NAMES, PRINTED
from tests.formats.second.synonyms import EXACT
from tests.formats.second.times import FROM_TIME
from tests.formats.second.values import BadError, encoded, is_encoded

T = TypeVar("T")
KEYS_OF = {name: [key for key in EXACT if EXACT[key] == name] for name in FIELDS}


@dataclass(frozen=True)
class Case:
    format: str
    records: tuple[str, ...]  # lines of the input
    choices: dict[str, Any] = field(default_factory=dict)  # settings that are not the default
    source: str = ""  # whose lines the records are: a format, or JSON with the fields' names


class Cases:
    """An endless source of cases, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.chance = self.random.random
        self.plain = False

    def one(self, of: Sequence[T]) -> T:
        return self.random.choice(of)

    def case(self) -> Case:
        if self.chance() < 0.25:
            return self.lines_case()
        return self.records_case()

    def records_case(self) -> Case:
        kinds = [
            self.leef, self.leef, self.cef, self.objects, self.objects, self.columns, self.columns,
            self.pairs, self.free, self.preset,
        ]  # fmt: skip
        text = self.one(kinds)()
        if self.chance() < 0.08:
            text = self.broken(text)
        records = tuple(self.record(text) for _ in range(self.random.randint(1, 4)))
        return Case(text, records, self.choices(text))

    def choices(self, text: str) -> dict[str, Any]:
        chosen: dict[str, Any] = {}
        if self.chance() < 0.3:
            chosen["zone"] = self.one(material.ZONES)
        if self.chance() < 0.3:
            chosen["source_zone"] = self.one(material.ZONES)
        if self.chance() < 0.3:
            chosen["escape_characters"] = self.one([",", ',"', "|=", "\\", " ", "^;:", "~{}"])
        if self.chance() < 0.3:
            chosen["protect_separators"] = False
        if self.chance() < 0.3:
            readers = ["quotes", "pipes", "pairs"]
            chosen["protect_for"] = sorted(self.random.sample(readers, self.random.randint(1, 3)))
        if self.chance() < 0.15:
            chosen["filter"] = self.filter(text)
        return chosen

    def lines_case(self) -> Case:
        """Return a case whose records are lines of another format, or nearly so."""
        self.plain = True  # two values that stand side by side may not be told apart
        source = self.one(
            [self.leef, self.objects, self.preset, self.tabs, self.quoted, self.spaced]
        )()  # fmt: skip
        self.plain = False
        # Of a field that is printed twice one place is read: which, is nobody's business.
        names = [n for n in NAMES if source.count(f"{{{n}}}") == 1 and n not in FROM_TIME]
        names += [name for name in PRINTED if f":{name}" in FIELDS[name]["derivations"]]
        specs = [f"%s{{{self.one(names)}}}" for _ in range(6) if names]
        if "{yy}" in source or "{time}" in source or "{epochtime}" in source:
            specs.append("%d{epochtime}")
        try:
            parts = language.parse(source)
            lines = [self.printed(parts, source) for _ in range(self.random.randint(1, 3))]
        except (language.RefusedError, BadError):
            return self.records_case()
        return Case("\\t".join(specs), tuple(lines), self.choices(source), source)

    def printed(self, parts: list[language.Part], source: str) -> str:
        (found,) = read.objects(self.record(source).encode())
        record = read.record_of(found, read.wanted(parts, set()))
        line = render.line(parts, record, render.Settings()).decode()
        return self.damaged(line, source).replace("\n", " ")

    def damaged(self, line: str, source: str) -> str:
        """Return a line as others would have it: behind a header, its attributes in any order."""
        if self.chance() < 0.2:
            return self.one(material.HEADERS) + line
        if self.chance() < 0.2 and "LEEF:1.0|" in source and line.count("|") == 5:
            *header, attributes = line.split("|", 5)
            shuffled = attributes.split("\t")
            self.random.shuffle(shuffled)
            return "|".join([*header, "\t".join(shuffled)])
        return line

    def filter(self, text: str) -> dict[str, list[str]]:
        """Return a filter of which a record may well have a value."""
        keys = [key for key, (_, names) in KEYS.items() if any(f"{{{n}}}" in text for n in names)]
        chosen = [self.one(keys or list(KEYS)) for _ in range(self.random.randint(1, 2))]
        return {
            self.one(["", "", "not_"]) + key: [
                self.wanted(key) for _ in range(self.random.randint(1, 3))
            ]
            for key in chosen
        }

    def wanted(self, key: str) -> str:
        for closed in (key, KEYS[key][0]):
            if closed in material.WANTED:
                return self.one(material.WANTED[closed])
        word = self.one([*material.ORDINARY, "e", ",", " ", "None", "A"])
        return self.one([word, f"{word}*", f"*{word}", f"*{word}*"])

    # ---- format strings

    def spec(self) -> str:
        name = self.one(material.COMMON if self.chance() < 0.4 else PRINTED)
        if FIELDS[name]["conversion"] == "s" or self.chance() < 0.1:
            return f"%s{{{name}}}"
        return f"%{self.one(['d'] * 8 + ['x', '02d', '4d', '020d', '6x', 'ld', 'llu'])}{{{name}}}"

    def slot(self) -> str:
        """What stands for a value: nearly always one field, or a time."""
        chance = self.chance()
        if chance < 0.85:
            return self.spec()
        if chance < 0.92:
            return self.one(material.PRINTED_TIMES)
        if chance < 0.95:
            return self.one(["text", "7", "a b", "x\\\\"])
        if self.plain:
            return self.spec()
        return self.spec() + self.one(["", " ", "/", "x", "!"]) + self.spec()

    def slots(self, most: int = 8) -> list[str]:
        return [self.slot() for _ in range(self.random.randint(1, most))]

    def head(self) -> str:
        return self.one(material.HEADS)

    def keyed(self, separator: str, assign: str = "=", quote: str = "") -> str:
        return separator.join(
            f"{self.one(['k', 'cat', 'usrName', 'a b'])}{n}{assign}{quote}{slot}{quote}"
            for n, slot in enumerate(self.slots())
        )

    def leef(self) -> str:
        event = self.one(["%s{reason}", "%s{reason}", "e", self.slot()])
        maker = self.one(["Zscaler|NSS|4.1", "Z|%s{cloudname}|1"])
        if self.chance() < 0.6:
            attributes = self.keyed("\\t")
            return f"{self.head()}LEEF:1.0|{maker}|{event}|{attributes}"
        written, separator = self.one(material.DELIMITERS)
        return f"{self.head()}LEEF:2.0|{maker}|{event}|{written}|{self.keyed(separator)}"

    def cef(self) -> str:
        return (
            f"{self.head()}CEF:0|Z|{self.one(['N', '%s{cloudname}'])}|1|{self.slot()}|{self.spec()}"
            f"|{self.one(['3', '%d{riskscore}'])}|{self.keyed(' ')}"
        )

    def objects(self) -> str:
        gap = self.one(["", "", " "])
        members = [f'"k{n}"{gap}:{gap}{self.member()}' for n in range(self.random.randint(1, 8))]
        body = "\\{" + f"{gap},{gap}".join(members) + "\\}"
        chance = self.chance()
        if chance < 0.25:
            tail = self.one(["", ',"z":1'])
            body = f'\\{{"event":{body}{tail}\\}}'
        elif chance < 0.4:
            body = f'\\{{"k":["{self.slot()}",{body}]\\}}'
        elif chance < 0.5:
            body = f"[{body},{body}]"
        return (self.head() if self.chance() < 0.4 else "") + body

    def member(self) -> str:
        return f'"{self.slot()}"' if self.chance() < 0.8 else f"%d{{{self.one(material.NUMBERS)}}}"

    def columns(self) -> str:
        separator = self.one([",", ",", r"\t", r"\t", ";", "|", ", ", "^^", "::", " "])
        chance = self.chance()
        cells = [
            f'"{slot}"' if chance < 0.3 or (chance < 0.5 and self.chance() < 0.5) else slot
            for slot in self.slots()
        ]
        return self.one(["", "", "", "", self.head()]) + separator.join(cells)

    def pairs(self) -> str:
        separator = self.one([r"\t", " ", "; ", ";", "^^", ",", "|", ", ", "&"])
        start = self.one(["", "", self.slot() + separator, self.head()])
        return start + self.keyed(
            separator, self.one(["=", "=", "=", ":"]), self.one(["", "", '"'])
        )

    def tabs(self) -> str:
        return "\\t".join(self.slots())

    def quoted(self) -> str:
        return ",".join(f'"{slot}"' for slot in self.slots())

    def spaced(self) -> str:
        return self.keyed(self.one([" ", "\\t", "^^"]))

    def free(self) -> str:
        pieces = [self.one(["", self.one(material.BETWEEN)])]
        for slot in self.slots():
            pieces += [
                slot,
                *(self.one(material.BETWEEN) for _ in range(self.random.randint(1, 2))),
            ]
        return "".join(pieces)

    def preset(self) -> str:
        text = presets.text(self.one(presets.names()))
        if self.chance() < 0.5:
            text = text.replace("\\t", "\t").replace("\\n", "\n")
        for _ in range(self.one([0, 0, 1, 2, 4])):
            at, end = sorted(self.random.randrange(len(text) + 1) for _ in range(2))
            end = min(end, at + self.random.randint(1, 60))
            piece = self.one(["", "", self.spec(), text[at:end] * 2, ",", " ", '"', "\t", "|", "="])
            text = text[:at] + piece + text[end:]
        return text

    def broken(self, text: str) -> str:
        for _ in range(self.random.randint(1, 2)):
            at = self.random.randrange(len(text) + 1)
            piece = self.one(material.FAULTS)
            text = text[:at] + piece + text[at + self.random.randint(0, 2) :]
        return text

    # ---- records

    def text(self) -> str:
        if self.chance() < 0.4:
            return self.one(material.ORDINARY)
        if self.chance() < 0.1:
            return self.one(material.PIECES) * self.random.randint(1, 30)
        return "".join(self.one(material.PIECES) for _ in range(self.random.randint(0, 6)))

    def record(self, text: str) -> str:
        """Return an object that states much of what a format prints, and some more."""
        names = [name for name in NAMES if f"{{{name}}}" in text]
        for name in list(names):
            names += [each.split(":")[1] for each in FIELDS[name]["derivations"].split()]
        names += [self.one(NAMES) for _ in range(self.random.randint(0, 3))]
        self.random.shuffle(names)
        leave = self.one([0, 0.2, 0.6])
        stated: dict[str, object] = {}
        for name in names:
            if name not in FROM_TIME and self.chance() >= leave:
                stated[name] = self.value(name)
        self.agree(stated)
        for name in self.one(material.STATED_TIMES):
            odd = self.chance() < 0.2
            values = material.PART_VALUES.get(name, material.MOMENTS)
            stated[name] = self.one(values) if odd else values[0]
        for name in list(stated):
            if self.chance() < 0.05:
                key = self.one(KEYS_OF.get(name) or [name])
                value = stated[name] if self.chance() < 0.7 else stated.pop(name)
                stated.setdefault(key, value)
        if self.chance() < 0.05:
            stated[self.one(["x", "Login", "k1"])] = self.one([1, "a", [1], {"login": "z"}, None])
        whole = json.dumps(stated, ensure_ascii=self.chance() < 0.5)
        if self.chance() < 0.1:
            whole = f'{{"sourcetype":"zscalernss-web","event":{whole}}}'
        if self.chance() < 0.03:
            at = self.random.randrange(len(whole))
            whole = (
                whole[:at]
                + self.one(["", '"', "\\", ",", "}", "\t", "\x7f", "1"])
                + whole[at + 1 :]
            )
        return whole.replace("\n", " ")

    def agree(self, stated: dict[str, object]) -> None:
        """Have most twins state the same text: a record whose twins differ has no line."""
        for name in sorted(stated):
            twins = [each for each in stated if read.plain_twin(each) == read.plain_twin(name)]
            if len(twins) > 1 and self.chance() < 0.9:
                text = self.text()
                for each in twins:
                    stated[each] = as_twin(each, text)

    def value(self, name: str) -> object:
        if FIELDS[name]["conversion"] == "d":
            return (
                self.one(material.ODD_NUMBERS)
                if self.chance() < 0.25
                else self.random.randint(0, 99999)
            )
        if self.chance() < 0.02:
            return self.one([5, 1.5, True, None, [], {}, 10**30, -0.0, 1e5])
        text = self.text()
        if name.startswith("b64"):
            chance = self.chance()
            if chance < 0.1:
                return self.one(material.ODD_BASE64)
            return base64.b64encode(text.encode()).decode() if chance < 0.7 else text[:20]
        return text


def as_twin(name: str, text: str) -> str:
    """Return what a field states of a text that others state too."""
    if name.startswith("b64"):
        return base64.b64encode(text.encode()).decode()
    return encoded(text, "") if is_encoded(name) else text
