# ruff: noqa: ARG002 - the contract's own parameters
"""A stand-in for ZIA's URL categories: faults, another administrator, a file to outlive a process.

Each call can be given a fault: an error before or after the change is made, or a kill. `between` is
called before each change, as another administrator who is quicker.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import orjson

from nss.zia import (
    Activation,
    Busy,
    Category,
    Quota,
    QuotaExceeded,
    RequestRefused,
    SignInRefused,
    Unreachable,
)

T = TypeVar("T")

NAME = "MS Defender Unsanctioned Apps"


class Killed(BaseException):
    """The process is gone: nobody handles this."""


def busy() -> Busy:
    return Busy("another administrator is saving", code="EDIT_LOCK_NOT_AVAILABLE", status=409)


def unreachable() -> Unreachable:
    return Unreachable("no answer in time")


def busy_after_all() -> Busy:
    """The last attempt was refused; one before it got no answer, and may have been carried out."""
    error = busy()
    error.is_unclear = True
    return error


def forbidden() -> RequestRefused:
    return RequestRefused("the role may not do this", status=403)


def no_sign_in() -> SignInRefused:
    return SignInRefused("the secret is refused", status=401)


FAULTS: dict[str, tuple[Callable[[], BaseException], tuple[bool, ...]]] = {
    "busy": (busy, (False,)),
    "unreachable": (unreachable, (False, True)),
    "busy after no answer": (busy_after_all, (False, True)),
    "forbidden": (forbidden, (False,)),
    "no sign-in": (no_sign_in, (False,)),
    "killed": (Killed, (False, True)),
}
"""What may happen to a call, and whether it may have been carried out then."""


@dataclass
class Organisation:
    """One organisation's categories. `faults` are by the number of the call."""

    categories: dict[str, Category] = field(default_factory=dict)
    max_urls: int = 25_000
    unacceptable: frozenset[str] = frozenset()
    """One of these in a request sinks all of it."""
    faults: dict[int, tuple[Callable[[], BaseException], bool]] = field(default_factory=dict)
    between: Callable[["Organisation"], None] = lambda _: None
    path: Path | None = None
    """Where everything is kept, if it has to outlive the process."""
    is_active: bool = True
    calls: list[str] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    """How many URLs each change had."""
    activations: int = 0
    answers_activation: Activation = "ACTIVE"

    # What a test does.

    def put(
        self,
        urls: Iterable[str] = (),
        retaining: Iterable[str] = (),
        *,
        name: str = NAME,
        type_: str = "URL_CATEGORY",
        url_type: str = "EXACT",
    ) -> str:
        """Make a category by hand."""
        number = f"CUSTOM_{len(self.categories) + 1}"
        made = Category(number, name, frozenset(urls), frozenset(retaining), type_, url_type)
        self.categories[number] = made
        return number

    @property
    def category(self) -> Category | None:
        """The category that is synced."""
        return next((each for each in self.categories.values() if each.name == NAME), None)

    @property
    def urls(self) -> frozenset[str]:
        """What is in it."""
        return frozenset() if self.category is None else self.category.all_urls

    def change(self, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        """Change the category by hand."""
        if self.category is not None:
            found = self.category
            gone = set(remove)
            changed = replace(
                found, urls=(found.urls | set(add)) - gone, retaining=found.retaining - gone
            )
            self.categories[found.id] = changed

    @classmethod
    def load(cls, path: Path) -> "Organisation":
        """Return what an earlier process left."""
        made = cls(path=path)
        if path.exists():
            stored = orjson.loads(path.read_bytes())
            made.is_active = stored["is_active"]
            for number, (name, urls, retaining) in stored["categories"].items():
                made.categories[number] = Category(
                    number, name, frozenset(urls), frozenset(retaining)
                )
        return made

    def save(self) -> None:
        """Keep everything."""
        if self.path is not None:
            kept = {
                number: (each.name, sorted(each.urls), sorted(each.retaining))
                for number, each in self.categories.items()
            }
            stored = {"is_active": self.is_active, "categories": kept}
            self.path.write_bytes(orjson.dumps(stored))

    # `nss.zia.UrlCategories`.

    async def find(self, name: str, deadline: float) -> Category | None:
        return self._called("find", lambda: self._find(name))

    async def read(self, category_id: str, deadline: float) -> Category:
        return self._called("read", lambda: self._read(category_id))

    async def quota(self, deadline: float) -> Quota:
        return self._called("quota", lambda: Quota(self._used, self.max_urls - self._used))

    async def create(
        self, name: str, description: str, urls: Sequence[str], deadline: float, *, retain: bool
    ) -> Category:
        def make() -> Category:
            if self._find(name) is not None:
                raise RequestRefused("there is one", code="DUPLICATE_ITEM", status=409)
            self._take(urls)
            number = self.put(*((), urls) if retain else (urls, ()), name=name)
            return self.categories[number]

        assert len(description) <= 256
        return self._changed("create", urls, make)

    async def add(
        self, category: Category, urls: Sequence[str], deadline: float, *, retain: bool
    ) -> Category:
        def extend() -> Category:
            now = self._read(category.id)
            self._take(set(urls) - now.all_urls)
            kept = (now.urls, now.retaining | set(urls))
            if not retain:
                kept = (now.urls | set(urls), now.retaining)
            self.categories[now.id] = replace(now, urls=kept[0], retaining=kept[1])
            return self.categories[now.id]

        return self._changed("add", urls, extend)

    async def remove(self, category: Category, urls: Sequence[str], deadline: float) -> Category:
        def shorten() -> Category:
            now, gone = self._read(category.id), set(urls)
            self.categories[now.id] = replace(
                now, urls=now.urls - gone, retaining=now.retaining - gone
            )
            return self.categories[now.id]

        return self._changed("remove", urls, shorten)

    async def activate(self, deadline: float) -> Activation:
        def publish() -> Activation:
            self.activations += 1
            self.is_active = self.answers_activation == "ACTIVE"
            return self.answers_activation

        return self._called("activate", publish)

    async def activation(self, deadline: float) -> Activation:
        return "ACTIVE" if self.is_active else "PENDING"

    # Inside.

    @property
    def _used(self) -> int:
        return len({url for each in self.categories.values() for url in each.all_urls})

    def _find(self, name: str) -> Category | None:
        return next((each for each in self.categories.values() if each.name == name), None)

    def _read(self, number: str) -> Category:
        if number not in self.categories:
            raise RequestRefused("there is no such category", status=404)
        return self.categories[number]

    def _take(self, urls: Iterable[str]) -> None:
        wrong = self.unacceptable.intersection(urls)
        if wrong:
            raise RequestRefused("an URL is not valid", status=400)
        if self._used + len(set(urls)) > self.max_urls:
            raise QuotaExceeded(f"a maximum of {self.max_urls} custom URLs", status=400)

    def _changed(self, call: str, urls: Sequence[str], change: Callable[[], Category]) -> Category:
        self.requests.append(len(urls))
        self.between(self)

        def changed() -> Category:
            found = change()
            self.is_active = False
            return found

        return self._called(call, changed)

    def _called(self, call: str, work: Callable[[], T]) -> T:
        fault, is_done = self.faults.get(len(self.calls), (None, False))
        self.calls.append(call)
        if fault is not None and not is_done:
            raise fault()
        found = work()
        self.save()
        if fault is not None:
            raise fault()
        return found
