"""The page of one account: what is stored, the form, tests, storing and clearing.

A form is answered with a redirect to the page, which shows what came of it: the errors at their
fields, the steps of the test, what was stored. Nothing that was entered is lost meanwhile, and no
secret goes back to the browser.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.admin.portal.forms import Form
from nss.admin.portal.pages.integrations.drafts import Draft, Drafts
from nss.admin.portal.pages.integrations.entries import Entry, Field, Problem, too_long
from nss.admin.portal.pages.integrations.foreign import MAX_ITEM_CHARS, shown, shown_checks
from nss.admin.portal.pages.integrations.partner import Partner, Stored, problem_of
from nss.admin.portal.people import session_of
from nss.admin.portal.sessions import NoticeKind
from nss.admin.portal.view import Portal, form_of, get, post
from nss.answers import MAX_CHARS
from nss.checks import Check, first_failed
from nss.errors import NssError, UsageError, unplanned
from nss.secret import Secret
from nss.telemetry.audit import acting_as, person_at_work

TEST_SECS = 120.0
"""How long a test may take."""

MAX_TESTS = 3
"""At the same time; others wait."""

_WAIT_SECS = 150.0
"""How long a browser waits for what comes of its form; then the page shows it later."""

_SECRET_CHARS = 8
"""What is shorter is no secret of MCAS or ZIA."""

_RESULT = "#result"

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class FieldView:
    """A field as the form shows it."""

    field: Field
    value: str
    hint: str
    error: str
    check: str
    """The address that checks it as somebody types."""
    is_stored: bool
    """Whether a secret for it is stored."""
    is_entered: bool
    """Whether a secret for it was entered, and is kept for a while."""


class AccountPage(Generic[C]):
    """What the page of an account does. `tests` bounds the tests of all accounts."""

    def __init__(
        self,
        portal: Portal,
        partner: Partner[C],
        drafts: Drafts,
        tests: asyncio.Semaphore,
        *,
        test_secs: float = TEST_SECS,
    ) -> None:
        self._portal = portal
        self._partner = partner
        self._drafts = drafts
        self._tests = tests
        self._test_secs = test_secs
        self._tasks: set[asyncio.Task[None]] = set()
        self._base = f"/integrations/{partner.key}"

    def routes(self) -> list[Route]:
        """Return the routes of everything but the page itself."""
        return [
            post(f"{self._base}/check", self._checked),
            post(f"{self._base}/submit", self._submitted),
            post(f"{self._base}/discard", self._discarded),
            post(f"{self._base}/clear", self._cleared),
            get(f"{self._base}/progress", self._progress),
        ]

    async def close(self) -> None:
        """Forget what was entered, and end all tests."""
        self._drafts.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def facts(self, request: Request) -> dict[str, Any]:
        """Return what the templates of the page need."""
        partner, draft = self._partner, self._drafts.of(session_of(request))
        stored = await asyncio.to_thread(partner.stored)
        method = request.query_params.get("method", "")
        if method not in partner.methods:
            method = draft.method if draft is not None else stored.method or ""
        if method not in partner.methods:
            method = next(iter(partner.methods))
        is_open = not stored.is_legacy or "method" in request.query_params or draft is not None
        return {
            "partner": partner,
            "base": self._base,
            "stored": stored,
            "method": method,
            "methods": [
                (f"{partner.page}?method={name}", text, name == method)
                for name, text in partner.methods.items()
            ],
            "is_open": is_open,
            "fields": self._views(method, stored, draft),
            "draft": draft,
        }

    def _views(self, method: str, stored: Stored, draft: Draft | None) -> list[FieldView]:
        mine = draft if draft is not None and draft.method == method else None
        is_same = stored.method == method
        views = []
        for field in self._partner.fields(method):
            name = field.name
            usual, hint = self._partner.usual(method, name), field.hint
            value = stored.values.get(name) or usual
            if field.goes_with_secret:
                if value:
                    hint = f"Stored: {value}; leave it empty to keep that with the secret stored."
                value = ""
            if mine is not None and name in mine.texts:
                value = mine.texts[name] or usual
            problem = None if mine is None else mine.problems.get(name)
            views.append(
                FieldView(
                    field,
                    value,
                    hint,
                    "" if problem is None else problem.text,
                    f"{self._base}/check?field={name}",
                    is_same and name in stored.secrets,
                    mine is not None and name in mine.secrets,
                )
            )
        return views

    # Forms.

    async def _checked(self, request: Request) -> Response:
        form, name = await form_of(request), request.query_params.get("field", "")
        entry, problems = self._entry(form, self._drafts.of(session_of(request)))
        if name not in {field.name for field in self._partner.fields(entry.method)}:
            raise UsageError("there is no such field")
        if name not in problems:
            built = await asyncio.to_thread(self._partner.build, entry)
            problems = {**built.problems, **problems}
        template = "integrations/_problem.html"
        return self._portal.view.part(request, template, problem=problems.get(name))

    async def _submitted(self, request: Request) -> Response:
        form, session = await form_of(request), session_of(request)
        before = self._drafts.of(session)
        if before is not None and before.is_running:
            text = "a test of yours is running: wait until it has ended"
            return self._redirect(request, before.method, notice=text, kind="warn")
        entry, problems = self._entry(form, before)
        draft = Draft(entry.method, dict(entry.texts), dict(entry.secrets))
        seen = form["seen"] if form["do"] == "save" else None
        work = self._worked(draft, entry, problems, seen, person_at_work())
        draft.task = task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._drafts.keep(session, draft)
        await asyncio.wait({task}, timeout=_WAIT_SECS)
        return self._redirect(request, entry.method)

    async def _discarded(self, request: Request) -> Response:
        self._drafts.drop(session_of(request))
        return self._portal.view.redirect(request, self._partner.page)

    async def _cleared(self, request: Request) -> Response:
        said = await asyncio.to_thread(self._partner.clear)
        self._drafts.drop(session_of(request))
        page, view = self._partner.page, self._portal.view
        if said is None:
            return view.redirect(request, page, notice="There was nothing to clear.", kind="info")
        return view.redirect(request, page, notice=f"Cleared. {said}")

    async def _progress(self, request: Request) -> Response:
        draft = self._drafts.of(session_of(request))
        if draft is not None and draft.is_running:
            return self._portal.view.part(request, "integrations/_running.html", base=self._base)
        return Response(headers={"hx-refresh": "true"})

    def _redirect(
        self, request: Request, method: str, *, notice: str = "", kind: NoticeKind = "good"
    ) -> Response:
        path = f"{self._partner.page}?method={method}{_RESULT}"
        return self._portal.view.redirect(request, path, notice=notice, kind=kind)

    def _entry(self, form: Form, before: Draft | None) -> tuple[Entry, dict[str, Problem]]:
        """Return what a form has, and what is too long; secrets entered before are taken again."""
        method = form["method"]
        if method not in self._partner.methods:
            raise UsageError("there is no such way of signing in")
        texts, secrets = dict[str, str](), dict[str, Secret]()
        problems = dict[str, Problem]()
        for field in self._partner.fields(method):
            text = form[field.name]
            if len(text) > MAX_CHARS:
                problems[field.name] = too_long(field.label)
            elif field.kind != "secret":
                texts[field.name] = text
            elif text:
                secrets[field.name] = Secret(text)
            elif before is not None and before.method == method and field.name in before.secrets:
                secrets[field.name] = before.secrets[field.name]
        return Entry(method, texts, secrets), problems

    # What comes of them.

    async def _worked(
        self,
        draft: Draft,
        entry: Entry,
        problems: Mapping[str, Problem],
        seen: str | None,
        person: str,
    ) -> None:
        """Test what was entered, and with `seen` store it if it passed: for `person`."""
        with acting_as(person):
            try:
                await self._tried(draft, entry, problems, seen)
            except NssError as error:
                _end(draft, "bad", "Nothing was stored.", problem_of(error))
            except Exception as error:  # noqa: BLE001 - the page shows it
                problem = Problem(unplanned(error), "see the log of the service")
                _end(draft, "bad", "Nothing was stored.", problem)

    async def _tried(
        self, draft: Draft, entry: Entry, problems: Mapping[str, Problem], seen: str | None
    ) -> None:
        built = await asyncio.to_thread(self._partner.build, entry)
        draft.problems = {**built.problems, **problems}
        if built.credentials is None or draft.problems:
            self._forget_refused(draft)
            many = "the field is" if len(draft.problems) == 1 else "the fields are"
            _end(draft, "bad", f"Nothing was tested and nothing was stored: {many} marked below.")
            return
        if seen is not None and not await self._may_store(draft, seen):
            return
        async with self._tests:
            steps = await self._steps(built.credentials)
        draft.steps = shown_checks(steps)
        failed = first_failed(steps)
        if failed is not None:
            self._failed(draft, failed)
        elif seen is None:
            _end(draft, "good", "All steps passed. Save stores what was tested.")
        elif await self._may_store(draft, seen):
            said = await asyncio.to_thread(self._partner.keep, built.credentials)
            draft.settle()
            _end(draft, "good", f"Stored. {said}")

    async def _steps(self, credentials: C) -> list[Check]:
        try:
            async with asyncio.timeout(self._test_secs):
                return await self._partner.test(credentials)
        except TimeoutError:
            sentence = f"there was no answer within {self._test_secs:.0f} s"
            tip = "see whether this machine reaches it: nss test-firewall"
            return [Check("test", ok=False, sentence=sentence, tip=tip)]

    async def _may_store(self, draft: Draft, seen: str) -> bool:
        """Return whether a form may replace what is stored; otherwise the draft says why not."""
        stored = await asyncio.to_thread(self._partner.stored)
        if stored.unwritable is not None:
            _end(draft, "bad", "Nothing was stored.", stored.unwritable)
            return False
        if stored.seen != seen:
            problem = Problem(
                "somebody has changed what is stored since this page was loaded",
                "look at what is stored now, and save again if it is to be replaced",
            )
            _end(draft, "warn", "Nothing was stored.", problem)
            return False
        return True

    def _failed(self, draft: Draft, failed: Check) -> None:
        """Show a failed step also at the field that it belongs to."""
        names = {field.name for field in self._partner.fields(draft.method)}
        if failed.field in names:
            problem = Problem(shown(failed.sentence), shown(failed.tip))
            draft.problems = {failed.field: problem}
        name = shown(failed.name, MAX_ITEM_CHARS)
        _end(draft, "bad", f"Nothing was stored: the test failed at “{name}”.")

    def _forget_refused(self, draft: Draft) -> None:
        """Forget refused secrets, and refused answers that may be one in the wrong place."""
        for field in self._partner.fields(draft.method):
            if field.name in draft.problems:
                draft.secrets.pop(field.name, None)
                if _may_be_secret(draft.texts.get(field.name, "")):
                    draft.texts[field.name] = ""


def _may_be_secret(text: str) -> bool:
    return len(text.strip()) >= _SECRET_CHARS and "/" not in text


def _end(draft: Draft, kind: str, sentence: str, problem: Problem | None = None) -> None:
    """Have a draft say what came of it."""
    draft.outcome_kind, draft.outcome, draft.outcome_tip = kind, sentence, ""
    if problem is not None:
        draft.outcome = f"{sentence} {shown(problem.text.partition(' Try: ')[0])}"
        draft.outcome_tip = shown(problem.tip)
