"""The manual page nss.toml(5), written from the reference page of the configuration.

Run as `python -m nss.config.manual`, it prints the page in the language of man(7).
"""

import re
import sys
from collections.abc import Iterator

from nss.config.reference import page
from nss.wording import own_version

_HEAD = """\
.TH "NSS.TOML" "5" "" "NSS {version}" "Open Nanolog Streaming Service"
.SH NAME
nss.toml \\- configuration of NSS, an open Nanolog Streaming Service
.SH DESCRIPTION
"""
_FOOT = """\
.SH FILES
.TP
.I /etc/nss/nss.toml
The configuration that the unit runs with.
.SH SEE ALSO
.BR nss (1),
.BR nss\\-check (1),
.BR nss\\-configure (1),
.BR nss\\-reload (1)
"""
_SAMPLE = ("packaging/nss.toml", "/usr/share/doc/nss-streamer/examples/nss.toml")
"""Where the sample is in the sources, and where the package has it."""

_CODE = re.compile(r"`([^`]*)`")
_PIPE = re.compile(r"(?<!\\)\|")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def manual() -> str:
    """Return the whole page."""
    written = page().replace(*_SAMPLE).splitlines()
    lines = (f"{line}\n" for line in _lines(written))
    return "".join([_HEAD.format(version=own_version() or ""), *lines, _FOOT])


def _lines(written: list[str]) -> Iterator[str]:
    """Yield the lines of man(7) for those of the reference page."""
    is_code = False
    head: list[str] = []
    for line in written:
        if line.startswith("```"):
            is_code = not is_code
            yield ".EX" if is_code else ".EE"
        elif is_code:
            yield _guarded(_escaped(line))
        elif line.startswith("| "):
            cells = [cell.strip().replace(r"\|", "|") for cell in _PIPE.split(line)[1:-1]]
            if not head:
                head = cells
            elif cells[0] != "---":
                yield from _row(head, cells)
        elif line.startswith("#"):
            yield from _heading(line)
        elif line.startswith("- "):
            yield from (".IP \\(bu 2", _text(line[2:]))
        else:
            yield _text(line.strip()) if line.strip() else ".PP"
        head = head if line.startswith("| ") else []


def _heading(line: str) -> Iterator[str]:
    marks, _, title = line.partition(" ")
    if marks != "#":
        yield f"{'.SH' if marks == '##' else '.SS'} {_escaped(title.replace('`', ''))}"


def _row(head: list[str], cells: list[str]) -> Iterator[str]:
    """Yield an entry: its key, then each other cell of its row."""
    yield from (".TP", _text(cells[0]))
    for name, cell in zip(head[1:], cells[1:], strict=True):
        if name == head[-1] or name.startswith("What"):
            yield _text(cell)
        else:
            yield from (_text(f"{name}: {cell}."), ".br")


def _text(line: str) -> str:
    plain = _LINK.sub(r"\1", line)
    return _guarded(_CODE.sub(lambda found: f"\\fB{found[1]}\\fR", _escaped(plain)))


def _guarded(line: str) -> str:
    """Keep a line that begins like a request from being one."""
    return f"\\&{line}" if line.startswith((".", "'")) else line


def _escaped(line: str) -> str:
    return line.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")


if __name__ == "__main__":
    sys.stdout.write(manual())
