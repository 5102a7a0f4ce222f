"""Writes the Python source of a renderer's hot loop: one f-string a record, cheap checks around it.

The loop trusts nothing that it has not looked at, but looks in the cheapest way there is: a
separator is counted in the finished line, a backslash is searched in it once, and only `e*`
values and header values are looked at one by one. Whatever looks odd goes to the reference.
Control characters are not looked for here: whoever read the records knows where they may be.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from formats.fields import TIME_FIELDS
from formats.language import Literal, Part, Slot
from formats.record import Access, Moment
from formats.structure import Kind, Structure

_MAX_PIECES = 29
"""CPython builds an f-string of up to 30 pieces on the stack, a longer one through a list."""

_FEW = 4
"""Up to so many values a guard is looked for in each; with more it is counted in the line."""


class LoopSource:
    """The source of one format's loop over records of one input."""

    def __init__(
        self,
        segments: Sequence[Sequence[Part]],
        access: Access,
        moment: Moment,
        structure: Structure,
        guards: Sequence[str],
        *,
        escapes: bool,
    ) -> None:
        self._segments = segments
        self._access = access
        self._moment = moment
        self._structure = structure
        self._guards = guards
        self._escapes = escapes
        # (number of the slot, slot) for every slot that is no time field
        numbered = enumerate(part for seg in segments for part in seg if isinstance(part, Slot))
        self._slots = [(n, slot) for n, slot in numbered if slot.field.name not in TIME_FIELDS]
        self._locals = self._fields_in_locals()

    def values(self) -> str:
        """Return a lambda that yields the values of all slots that are no time fields."""
        values = [self._access.expression(slot.field.name) for _, slot in self._slots]
        return f"lambda r: ({''.join(f'{value}, ' for value in values)})"

    def batch(self) -> str:
        """Return the loop: a function of records that returns lines.

        A record without a usable time gets an empty line, and its index and reason go to `bad`.
        """
        body = [*self._assignments(), *self._line()]
        condition = " or ".join(self._checks())
        if condition:
            body += [
                f"if {condition}:",
                "    append(again(r))",
                "else:",
                "    append(line.encode())",
            ]
        else:
            body.append("append(line.encode())")
        return "\n".join(
            [
                "def batch(records, bad):",
                "    lines = []",
                "    append = lines.append",
                "    for r in records:",
                *self._time_lookup(),
                *(f"        {row}" for row in body),
                "    return lines",
                "",
            ]
        )

    def _time_segments(self) -> int:
        return sum(_has_time(segment) for segment in self._segments)

    def _time_lookup(self) -> list[str]:
        names = "".join(f"t{number}, " for number in range(self._time_segments()))
        if not names:
            return []
        return [
            "        try:",
            f"            {names}= times[{self._moment.expression or None}]",
            "        except BadTime as error:",
            "            bad.append((len(lines), str(error)))",
            "            append(b'')",
            "            continue",
        ]

    def _text_slots(self) -> list[tuple[int, Slot]]:
        """Return the slots whose value comes from the record and is text."""
        return [
            (number, slot)
            for number, slot in self._slots
            if slot.field.conversion == "s" and self._access.constant(slot.field.name) is None
        ]

    def _counted(self, guard: str) -> tuple[AbstractSet[int], bool]:
        """Return the slots that `guard` guards, and whether it is counted in the whole line."""
        guarded = {number for number, _ in self._text_slots() if guard in self._guards[number]}
        return guarded, len(guarded) > _FEW

    def _guard_characters(self) -> list[str]:
        return sorted({char for number, _ in self._text_slots() for char in self._guards[number]})

    def _fields_in_locals(self) -> set[str]:
        """Names of fields whose value the loop needs more than once."""
        text = self._text_slots()
        names = {slot.field.name for _, slot in text if slot.field.encoded}
        for guard in self._guard_characters():
            guarded, counted = self._counted(guard)
            names |= {slot.field.name for n, slot in text if (n in guarded) is not counted}
        seen: set[str] = set()
        for _, slot in text:
            if slot.field.name in seen:
                names.add(slot.field.name)
            seen.add(slot.field.name)
        return names

    def _assignments(self) -> list[str]:
        rows = []
        for name in sorted(self._locals):
            rows.append(f"v_{name} = {self._access.expression(name)}")
            if any(slot.field.name == name and slot.field.encoded for _, slot in self._slots):
                odd = f"' ' in v_{name} or not v_{name}.isascii()"
                rows.append(
                    f"v_{name} = encoded[v_{name}]"
                    if self._escapes
                    else f"if {odd}: v_{name} = encoded[v_{name}]"
                )
        return rows

    def _line(self) -> list[str]:
        """Return the statements that build the line, from f-strings of `_MAX_PIECES` each."""
        pieces = self._pieces()
        chunks = [pieces[at : at + _MAX_PIECES] for at in range(0, len(pieces), _MAX_PIECES)]
        if len(chunks) <= 1:
            return [f'line = f"{"".join(pieces)}"']
        names = [f"part{number}" for number in range(len(chunks))]
        rows = [f'{name} = f"{"".join(chunk)}"' for name, chunk in zip(names, chunks, strict=True)]
        whole = "".join(f"{{{name}}}" for name in names)
        return [*rows, f'line = f"{whole}"']

    def _pieces(self) -> list[str]:
        """Return static texts and replacement fields as they stand in an f-string."""
        pieces, time_number = [], 0
        for segment in self._segments:
            if _has_time(segment):
                pieces.append(f"{{t{time_number}}}")
                time_number += 1
                continue
            pieces.extend(
                _escaped(part.text) if isinstance(part, Literal) else self._placed(part)
                for part in segment
            )
        return pieces

    def _placed(self, slot: Slot) -> str:
        name = slot.field.name
        constant = self._access.constant(name)
        if constant is not None:
            return _escaped(slot.text(constant))
        value = f"v_{name}" if name in self._locals else self._access.expression(name)
        spec = "x" if slot.conversion == "x" else "d" if slot.width else ""
        if slot.width:
            spec = f"{'0' if slot.pad == '0' else ''}{slot.width}{spec}"
        return f"{{{value}:{spec}}}" if spec else f"{{{value}}}"

    def _checks(self) -> list[str]:
        """Return the conditions under which a line goes to the reference."""
        checks = []
        for guard in self._guard_characters():
            guarded, counted = self._counted(guard)
            text = self._text_slots()
            if not counted:
                names = {slot.field.name for n, slot in text if n in guarded}
                checks += [f"{guard!r} in v_{name}" for name in sorted(names)]
                continue
            expected = sum(
                part.text.count(guard)
                for segment in self._segments
                for part in segment
                if isinstance(part, Literal)
            ) + sum(
                str(self._access.constant(slot.field.name) or "").count(guard)
                for _, slot in self._slots
            )
            free = [
                f" - v_{slot.field.name}.count({guard!r})" for n, slot in text if n not in guarded
            ]
            checks.append(
                f"{guard!r} in line"
                if not expected and not free
                else f"line.count({guard!r}){''.join(free)} != {expected}"
            )
        if self._structure.closing:
            ends = [r"'\\|' in line"]
            if self._structure.kind is Kind.LEEF:
                ends += [f"{chr(92) + self._structure.separator!r} in line", r"line[-1] == '\\'"]
            checks.append(rf"'\\' in line and ({' or '.join(ends)})")
        return checks


def _has_time(segment: Sequence[Part]) -> bool:
    return any(isinstance(part, Slot) and part.field.name in TIME_FIELDS for part in segment)


def _escaped(text: str) -> str:
    """Return `text` for the inside of a double-quoted f-string."""
    named = {"\t": "\\t", "\n": "\\n", '"': '\\"', "\\": "\\\\"}
    body = "".join(
        named.get(char, char if char.isprintable() else f"\\U{ord(char):08x}") for char in text
    )
    return body.replace("{", "{{").replace("}", "}}")
