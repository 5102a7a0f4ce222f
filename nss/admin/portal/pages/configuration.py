"""The configuration: each setting explained, the file, its editor, and versions to go back to."""

import asyncio
import grp
import pwd
import shlex
import stat
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.admin.operations import Reloaded
from nss.admin.portal.people import Forbidden
from nss.admin.portal.texts import harmless
from nss.admin.portal.view import Portal, form_of, get, post, session_of
from nss.config import load
from nss.config.load import ConfigProblems
from nss.config.model import Config
from nss.errors import NssError
from nss.secret import SHOWN
from nss.setup.difference import Difference
from nss.setup.editing import (
    Document,
    Examined,
    Fault,
    compared,
    examined,
    examined_version,
    read_document,
)
from nss.setup.explained import Section, explained
from nss.setup.hiding import hidden
from nss.setup.places import Places
from nss.setup.redaction import redactor_of
from nss.setup.replacing import CHANGE, UNDO, Replacing, unfinished, unwritable
from nss.setup.versions import Version
from nss.status import left_behind

PAGE = "/configuration"

RELOAD = "reload"
"""The action in the audit log, as at the control socket."""

MAX_WORDS = 8
MAX_QUERY = 100
MAX_DIFFERENCE = 1000
"""Lines of a difference that are shown."""

_AROUND = 2
"""Lines that are shown before and after one with a problem."""

_MAX_LINE = 400
"""Characters of such a line."""


@dataclass(frozen=True, slots=True)
class Read:
    """The file on the disk beside what the service runs with."""

    document: Document | None
    reason: str
    """Why the file can't be read, if so."""
    state: str
    """`in force`, `changed` or `wrong`: what would come of a reload."""
    sections: list[Section]


@dataclass(frozen=True, slots=True)
class Entered:
    """What is in the form of the editor."""

    text: str
    digest: str
    """Of the file when the editor was opened."""
    checked: str
    """Of the proposed file whose difference was seen."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A line of what was entered, near a problem."""

    number: int
    text: str
    is_wrong: bool
    follows: bool
    """Whether the one before it is shown as well."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """A version, as it is listed: what would change if it came back."""

    version: Version
    change: Difference
    lines: list[str]
    more_lines: int


class ConfigurationPages:
    """`/configuration` and what is below it."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._replacing = Replacing(portal.path, portal.audit.path.parent)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            get(PAGE, self._index),
            get(f"{PAGE}/found", self._found),
            get(f"{PAGE}/file", self._file),
            get(f"{PAGE}/edit", self._edit),
            post(f"{PAGE}/edit", self._edited),
            get(f"{PAGE}/versions", self._versions),
            post(f"{PAGE}/versions/{{number:int}}", self._undone),
            post(f"{PAGE}/reload", self._reloaded),
        ]

    async def _index(self, request: Request) -> Response:
        found = await self._read()
        cut_short = await asyncio.to_thread(self._note_of_crash)
        facts: dict[str, Any] = {"read": found, "cut_short": cut_short, **_settings(request, found)}
        return self._portal.view.page(request, "configuration/index.html", **facts)

    async def _found(self, request: Request) -> Response:
        facts = _settings(request, await self._read())
        return self._portal.view.part(request, "configuration/_settings.html", **facts)

    async def _file(self, request: Request) -> Response:
        found = await self._read()
        lines = list(found.document.hidden.lines) if found.document is not None else []
        if lines and not lines[-1]:
            lines.pop()
        facts: dict[str, Any] = {"read": found, "lines": lines, "file": str(self._portal.path)}
        return self._portal.view.page(request, "configuration/file.html", **facts)

    async def _read(self) -> Read:
        config = self._portal.operations.configuration()
        return await asyncio.to_thread(read, self._portal.path, config)

    async def _edit(self, request: Request) -> Response:
        _check_admin(request)
        document = await asyncio.to_thread(read_document, self._portal.path)
        entered = Entered(document.hidden.text, document.digest, "")
        found = await self._examined(document, entered.text)
        return await self._editor(request, entered, found, is_new=True)

    async def _edited(self, request: Request) -> Response:
        form = await form_of(request)
        entered = Entered(form["text"], form["digest"], form["checked"])
        document = await asyncio.to_thread(read_document, self._portal.path)
        found = await self._examined(document, entered.text)
        if form["do"] != "put":
            return await self._editor(request, entered, found)
        if entered.checked != found.digest or entered.digest != document.digest:
            return await self._editor(request, entered, found, is_late=True)
        try:
            reloaded = await self._put_in_force(found, entered.digest, CHANGE)
        except NssError as error:
            document = await asyncio.to_thread(read_document, self._portal.path)
            found = await self._examined(document, entered.text)
            return await self._editor(request, entered, found, error=error)
        notice = f"The new configuration is in force. {_said(reloaded)}"
        return self._portal.view.redirect(request, PAGE, notice=notice)

    async def _examined(self, document: Document, text: str) -> Examined:
        in_force = self._portal.operations.configuration()
        return await asyncio.to_thread(examined, document, text, in_force)

    async def _put_in_force(self, found: Examined, digest: str, action: str) -> Reloaded:
        reload = self._portal.operations.reload
        return await self._replacing.put_in_force(found, digest, reload, action=action)

    async def _editor(
        self,
        request: Request,
        entered: Entered,
        found: Examined,
        *,
        is_new: bool = False,
        is_late: bool = False,
        error: NssError | None = None,
    ) -> Response:
        """Return the editor; `is_late`: another text, or another file, was seen."""
        path = self._portal.path
        is_changed_below = entered.digest != found.document.digest
        lines, more_lines = _cut(found.difference)
        facts = {
            "entered": entered,
            "found": found,
            "is_new": is_new,
            "excerpts": _excerpts(entered.text, found),
            "lines": lines,
            "more_lines": more_lines,
            "sentence": "" if error is None else str(error.args[0]),
            "tip": "" if error is None else error.tip or "",
            "obstacle": await asyncio.to_thread(unwritable, path),
            "command": await asyncio.to_thread(_command, path, restart=bool(found.needing_restart)),
            "is_changed_below": is_changed_below,
            "is_late": is_late,
            "has_stars": SHOWN in entered.text,
            "file": str(path),
        }
        status = 409 if error or is_changed_below else 200
        return self._portal.view.page(request, "configuration/edit.html", status=status, **facts)

    async def _versions(self, request: Request) -> Response:
        return await self._listed(request)

    async def _listed(
        self, request: Request, number: int = 0, faults: Sequence[Fault] = ()
    ) -> Response:
        """Return the versions, and what is wrong with one of them that somebody wants back."""
        document = await asyncio.to_thread(read_document, self._portal.path)
        kept = await asyncio.to_thread(self._kept, document)
        facts = {
            "digest": document.digest,
            "kept": kept,
            "number": number,
            "faults": faults,
            "folder": str(self._replacing.versions.folder),
            "obstacle": await asyncio.to_thread(unwritable, self._portal.path),
            "cut_short": await asyncio.to_thread(self._note_of_crash),
        }
        status = 409 if faults else 200
        return self._portal.view.page(
            request, "configuration/versions.html", status=status, **facts
        )

    async def _undone(self, request: Request) -> Response:
        form, number = await form_of(request), request.path_params["number"]
        version = await asyncio.to_thread(self._replacing.versions.find, number)
        document = await asyncio.to_thread(read_document, self._portal.path)
        in_force = self._portal.operations.configuration()
        found = await asyncio.to_thread(examined_version, document, version.data, in_force)
        if found.faults:
            return await self._listed(request, number, found.faults)
        reloaded = await self._put_in_force(found, form["digest"], UNDO)
        notice = f"Version {number} is in force again. {_said(reloaded)}"
        return self._portal.view.redirect(request, f"{PAGE}/versions", notice=notice)

    async def _reloaded(self, request: Request) -> Response:
        audit = self._portal.audit
        try:
            reloaded = await self._portal.operations.reload()
        except NssError as error:
            reason = str(error.args[0]).partition("\n")[0]
            await asyncio.to_thread(audit.write, RELOAD, "failed", reason)
            raise
        await asyncio.to_thread(audit.write, RELOAD, "ok")
        return self._portal.view.redirect(request, PAGE, notice=f"Reloaded. {_said(reloaded)}")

    def _note_of_crash(self) -> str | None:
        return unfinished(self._portal.path, self._replacing.versions)

    def _kept(self, document: Document) -> list[Replaced]:
        found = []
        for version in self._replacing.versions.all():
            text = version.data.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
            change = compared(document.text, text, document.redactor.clean)
            found.append(Replaced(version, change, *_cut(change)))
        return found


def read(path: Path, config: Config) -> Read:
    """Return the file on the disk, and each setting of `config`, which is in force."""
    nothing = Places("")
    try:
        document = read_document(path)
    except NssError as error:
        sections = explained(config, {}, nothing, redactor_of(path).clean)
        return Read(None, str(error.args[0]), "wrong", sections)
    clean = document.redactor.clean
    try:
        on_disk = load.parse(document.text, path.absolute().parent)
    except ConfigProblems:
        return Read(document, "", "wrong", explained(config, {}, nothing, clean))
    places, tables = Places(document.text), tomllib.loads(document.text)
    state = "in force" if on_disk == config else "changed"
    return Read(document, "", state, explained(config, tables, places, clean))


def _check_admin(request: Request) -> None:
    if not session_of(request).is_admin:
        raise Forbidden("this needs the role admin", tip="sign in as an administrator")


def _settings(request: Request, found: Read) -> dict[str, Any]:
    """Return the sections with the settings that were searched for."""
    query = request.query_params.get("q", "")[:MAX_QUERY]
    words = query.casefold().split()[:MAX_WORDS]
    sections = [
        replace(section, settings=tuple(each for each in section.settings if each.matches(words)))
        for section in found.sections
    ]
    return {
        "query": query,
        "sections": [section for section in sections if section.settings or not words],
        "count": sum(len(section.settings) for section in sections),
        "all_count": sum(len(section.settings) for section in found.sections),
    }


def _cut(change: Difference) -> tuple[list[str], int]:
    """Return the lines of a difference that are shown, and how many more there are."""
    lines = [harmless(str(line)) for line in change.lines[:MAX_DIFFERENCE]]
    return lines, max(0, len(change.lines) - MAX_DIFFERENCE)


def _excerpts(text: str, found: Examined) -> list[Excerpt]:
    """Return the lines around those with problems."""
    lines = hidden(text, found.document.redactor.clean).lines
    wrong = {fault.line for fault in found.faults if fault.line is not None}
    near = {
        number
        for line in wrong
        for number in range(max(1, line - _AROUND), min(len(lines), line + _AROUND) + 1)
    }
    return [
        Excerpt(
            number, harmless(lines[number - 1][:_MAX_LINE]), number in wrong, number - 1 in near
        )
        for number in sorted(near)
    ]


def _said(reloaded: Reloaded) -> str:
    """Return what a reload did, as sentences."""
    parts = [("Started", reloaded.started), ("Ended", reloaded.ended)]
    said = [f"{what}: {', '.join(names)}." for what, names in parts if names]
    for left in reloaded.left_behind:
        said += [f"{sentence}." for sentence in left_behind.sentences(left)]
    return " ".join(said) or "No part had to be started anew."


def _command(path: Path, *, restart: bool) -> str:
    """Return what root types to put a text in force that is in `nss.toml.new`."""
    file = shlex.quote(str(path.absolute()))
    try:
        status = path.stat()
        owner = pwd.getpwuid(status.st_uid).pw_name
        group = grp.getgrgid(status.st_gid).gr_name
        given = f"-m {stat.S_IMODE(status.st_mode):04o} -o {owner} -g {group}"
    except (OSError, KeyError):
        given = "-m 0640 -o root -g nss"
    then = "restart" if restart else "reload"
    return f"sudo install {given} nss.toml.new {file} && sudo nss {then} --config {file}"
