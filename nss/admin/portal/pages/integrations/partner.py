"""The contract of an account: what it asks for, what is stored, how it is tested and stored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol, TypeVar

from nss.admin.portal.pages.integrations.entries import Built, Entry, Field, Problem
from nss.answers import BadAnswer
from nss.checks import Check
from nss.errors import NssError

C = TypeVar("C")
N = TypeVar("N", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is stored, as a page may show it: no secret is in it."""

    origin: str
    """The path of its file."""
    seen: str
    """A text that changes whenever something else is stored."""
    method: str | None = None
    """How it signs in; `None`: nothing is stored, or it can't be read."""
    facts: Sequence[tuple[str, str]] = ()
    """What it is, by label, in the order to show it."""
    values: Mapping[str, str] = field(default_factory=dict)
    """Answers by field."""
    secrets: frozenset[str] = frozenset()
    """The fields whose answer is a secret that is stored."""
    tested_at: float | None = None
    """When it passed a test, seconds since the epoch."""
    has_legacy_token: bool = False
    """Whether there is a legacy token of MCAS."""
    problem: Problem | None = None
    """Why it can't be read."""
    unwritable: Problem | None = None
    """Why nothing can be stored here."""

    @property
    def is_there(self) -> bool:
        """Whether there is anything that could be cleared."""
        return self.method is not None or self.has_legacy_token or self.problem is not None

    @property
    def is_legacy(self) -> bool:
        """Whether the legacy token is what is in use."""
        return self.has_legacy_token and self.method is None


class Partner(Protocol[C]):
    """An account with a partner. `C` are its credentials."""

    @property
    def key(self) -> str:
        """Its name in addresses: `mcas`."""
        ...

    @property
    def page(self) -> str:
        """The address of its page."""
        ...

    @property
    def methods(self) -> Mapping[str, str]:
        """The ways of signing in, with their names for people, the usual one first."""
        ...

    def fields(self, method: str) -> Sequence[Field]:
        """Return what a way of signing in needs, in the order to ask for it."""
        ...

    def usual(self, method: str, name: str) -> str:
        """Return what a field has at first, if nothing else is known."""
        ...

    def stored(self) -> Stored:
        """Return what is stored now. Quick, for it is read from the disk only if it has changed."""
        ...

    def build(self, entry: Entry) -> Built[C]:
        """Return credentials from what was entered and, for the rest, what is stored. Blocks."""
        ...

    async def test(self, credentials: C) -> list[Check]:
        """Try credentials out; the audit log says with what result. Raises `NssError`."""
        ...

    def keep(self, credentials: C) -> str:
        """Store credentials that passed a test. Blocks. Raises `NssError`.

        Returns what comes of it, as sentences.
        """
        ...

    def clear(self) -> str | None:
        """Remove what is stored; `None` if nothing was. Blocks. Raises `NssError`.

        Returns what comes of it, as sentences.
        """
        ...


def seen(stamp: object) -> str:
    """Return a short text for a stamp of files."""
    return blake2b(repr(stamp).encode(errors="replace"), digest_size=8).hexdigest()


def problem_of(error: NssError) -> Problem:
    """Return what an error says."""
    return Problem(str(error.args[0]), error.tip or "")


def refusal(take: Callable[[N, str], None], name: N, text: str) -> Problem | None:
    """Have a draft take an answer; returns what is wrong with it, if anything."""
    try:
        take(name, text)
    except BadAnswer as bad:
        return Problem(bad.sentence, bad.tip)
    return None
