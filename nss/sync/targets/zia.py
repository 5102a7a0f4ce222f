"""A URL category of ZIA as the target.

What this program may remove it must have added, so ownership is written down before each request
(see `nss.sync.state`). A request that was surely not carried out takes its claim back.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Literal

import msgspec

from nss.config.sync import SyncConfig
from nss.sync import TargetUnfit, Unsettled, events
from nss.sync.changes import changes, chunks, keys
from nss.sync.domains import SetAside
from nss.sync.state import CategoryMemory, SyncStore
from nss.sync.targets import At, Done, Plan
from nss.sync.unbroken import unbroken
from nss.zia import Busy, Category, Quota, QuotaExceeded, RequestRefused, Unreachable, UrlCategories

DESCRIPTION = "URLs of apps that are unsanctioned in Microsoft Defender for Cloud Apps, kept by NSS"

MAX_REFUSALS = 40
"""How many requests may be refused in a run while the URLs are sought that ZIA does not accept."""

_BAD_REQUEST = 400
_NOT_FOUND = 404
_MAX_NAMED = 3


class ZiaTarget:
    """The category that the settings name, in the account that `categories` reaches.

    `account` names it: what was added in one account is not removed in another. `close` is called
    when the target is closed.
    """

    def __init__(
        self,
        categories: UrlCategories,
        settings: SyncConfig,
        store: SyncStore,
        *,
        account: str = "",
        close: Callable[[], Awaitable[None]] | None = None,
        at: At = lambda _point: None,
    ) -> None:
        self.kind: Literal["zia"] = "zia"
        self.destination = f"URL category {settings.category}"
        self._categories = categories
        self._settings = settings
        self._store = store
        self._account = account
        self._close = close
        self._at = at
        self._category: Category | None = None
        self._memory = CategoryMemory()
        self._refused: list[SetAside] = []
        self._refusals = 0

    async def close(self) -> None:
        """See `Target.close`."""
        if self._close is not None:
            await self._close()

    async def plan(self, wanted: Sequence[str], deadline: float) -> Plan:
        """See `Target.plan`. Raises `QuotaExceeded` for more URLs than there may be."""
        settings = self._settings
        self._category = await self._found(deadline)
        self._memory = await unbroken(self._remembered)
        present = frozenset() if self._category is None else self._category.all_urls
        memory = self._memory
        found = changes(
            present, wanted, memory.owned, exclusive=settings.exclusive, shared=memory.shared
        )
        quota = await self._categories.quota(deadline)
        _check_quota(len(found.add), len(found.remove), quota)
        gone = memory.owned - keys(present) - keys(wanted)
        return Plan(
            add=found.add,
            remove=found.remove,
            kept=found.kept,
            vanished=found.vanished,
            present=len(present) if settings.exclusive else 0,
            quota=quota,
            # What is gone is ours no more: somebody may add it again by hand.
            repairs=memory.is_pending
            or bool(gone)
            or memory.shared != _shared(wanted, present, memory.owned),
        )

    async def carry_out(self, plan: Plan, wanted: Sequence[str], deadline: float) -> Done:
        """See `Target.carry_out`."""
        self._refused, self._refusals = [], 0
        remaining = 0 if plan.quota is None else plan.quota.remaining
        try:
            if len(plan.add) <= remaining:
                await self._add(plan.add, deadline)
                await self._remove(plan.remove, deadline)
            else:  # the URLs that go make room for those that come
                await self._remove(plan.remove, deadline)
                _check_quota(len(plan.add), 0, await self._categories.quota(deadline))
                await self._add(plan.add, deadline)
            await self._put_in_force(deadline)
            await self._check(plan, wanted, deadline)
        except RequestRefused as error:
            if error.status != _NOT_FOUND:
                raise
            raise Unsettled(f"somebody has removed the {self.destination} meanwhile") from None
        added = len(plan.add) - len(self._refused)
        quota = await self._categories.quota(deadline)
        return Done(added, len(plan.remove), tuple(self._refused), quota)

    # What is there.

    async def _found(self, deadline: float) -> Category | None:
        found = await self._categories.find(self._settings.category, deadline)
        if found is None:
            return None
        kind = "regular expressions" if found.url_type != "EXACT" else "top-level domains"
        if found.type != "URL_CATEGORY" or found.url_type != "EXACT":
            raise TargetUnfit(
                f"the {self.destination} is one of {kind}, so no URLs are added to it",
                tip="rename or remove that category in the admin portal, or set category in [sync]",
            )
        return found

    def _remembered(self) -> CategoryMemory:
        """Return what is remembered of the category that was found, with claims settled."""
        memory, found = self._store.category(), self._category
        is_other = found is not None and memory.id not in {None, found.id}
        if memory.account != self._account or is_other:
            if memory.owned:
                events.ownership_dropped(self.destination, len(memory.owned))
            return CategoryMemory(account=self._account, id=found.id if found else None)
        if found is None:
            return memory
        # A process was killed, or got no answer: what is there now of its claims is ours.
        mine = memory.owned | (memory.claimed & keys(found.all_urls))
        return msgspec.structs.replace(memory, id=found.id, owned=mine, claimed=frozenset())

    async def _check(self, plan: Plan, wanted: Sequence[str], deadline: float) -> None:
        """Read the category back. Raises `Unsettled` if it is not what it should be."""
        if self._category is None:
            return
        self._category = await self._categories.read(self._category.id, deadline)
        present = keys(self._category.all_urls)
        refused = keys(aside.entry for aside in self._refused)
        missing = sorted(keys(wanted) - refused - present)
        lingering = sorted(keys(plan.remove) & present)
        owned = self._memory.owned & present
        await self._remember(owned=owned, shared=_shared(wanted, present, owned))
        if missing or lingering:
            parts = [
                f"{len(urls):,} {text}: {', '.join(urls[:_MAX_NAMED])}"
                for urls, text in ((missing, "missing"), (lingering, "not removed"))
                if urls
            ]
            raise Unsettled(
                f"the {self.destination} is not what was sent ({'; '.join(parts)})",
                tip="see in ZIA's audit log who else changes this category",
            )

    # What is changed.

    async def _add(self, urls: Sequence[str], deadline: float) -> None:
        for chunk in chunks(urls, self._settings.urls_per_request):
            await self._add_accepted(chunk, deadline)

    async def _add_accepted(self, urls: list[str], deadline: float) -> None:
        """Add URLs; those that ZIA does not accept, each by itself, are set aside."""
        try:
            await self._add_claimed(urls, deadline)
        except QuotaExceeded:
            raise
        except RequestRefused as error:
            self._refusals += 1
            if error.status != _BAD_REQUEST or self._refusals > MAX_REFUSALS:
                raise
            if len(urls) == 1:
                self._refused.append(SetAside(urls[0], f"ZIA refuses it: {error.sentence}"))
                return
            middle = len(urls) // 2
            await self._add_accepted(urls[:middle], deadline)
            await self._add_accepted(urls[middle:], deadline)

    async def _add_claimed(self, urls: list[str], deadline: float) -> None:
        """Add URLs that are written down as ours first, and create the category if need be."""
        if self._category is None:  # what was in another category of that name is not there
            self._memory = msgspec.structs.replace(self._memory, id=None, owned=frozenset())
        was_pending, claimed = self._memory.is_pending, keys(urls)
        await self._remember(claimed=claimed, is_pending=True)
        self._at("claimed")
        try:
            self._category = await self._sent(urls, deadline)
        except (Busy, RequestRefused, Unreachable) as error:
            if not isinstance(error, Unreachable):
                await self._remember(claimed=frozenset(), is_pending=was_pending)
            if isinstance(error, Busy) or not await self._turns_up(deadline):
                raise
            await self._add_claimed(urls, deadline)
            return
        self._at("added")
        owned = self._memory.owned | claimed
        await self._remember(id=self._category.id, owned=owned, claimed=frozenset())
        self._at("owned")

    async def _sent(self, urls: list[str], deadline: float) -> Category:
        settings = self._settings
        retain = settings.retain_parent_category
        if self._category is not None:
            return await self._categories.add(self._category, urls, deadline, retain=retain)
        return await self._categories.create(
            settings.category, DESCRIPTION, urls, deadline, retain=retain
        )

    async def _turns_up(self, deadline: float) -> bool:
        """Return whether a category that could not be created is there all the same.

        It was created without our hearing of it, or by somebody else meanwhile.
        """
        if self._category is not None:
            return False
        self._category = await self._found(deadline)
        if self._category is None:
            return False
        mine = self._memory.claimed & keys(self._category.all_urls)
        await self._remember(id=self._category.id, owned=mine, claimed=frozenset())
        return True

    async def _remove(self, urls: Sequence[str], deadline: float) -> None:
        for chunk in chunks(urls, self._settings.urls_per_request):
            if self._category is None:
                return
            await self._remember(is_pending=True)
            self._at("removing")
            self._category = await self._categories.remove(self._category, chunk, deadline)
            self._at("removed")

    async def _put_in_force(self, deadline: float) -> None:
        if not self._memory.is_pending:
            return
        state = await self._categories.activate(deadline)
        if state != "ACTIVE":
            raise Unsettled(
                f"the {self.destination} is right, and ZIA has not put it in force yet ({state})",
                tip="the next run tries again; or in the admin portal: Activation, Activate",
            )
        self._at("activated")
        await self._remember(is_pending=False)

    async def _remember(self, **changed: str | frozenset[str] | bool) -> None:
        self._memory = msgspec.structs.replace(self._memory, **changed)
        await unbroken(lambda: self._store.keep_category(self._memory))


def _shared(wanted: Iterable[str], present: Iterable[str], owned: frozenset[str]) -> frozenset[str]:
    """Return the keys of URLs that are wanted and there, and that this program did not add."""
    return (keys(wanted) & keys(present)) - owned


def _check_quota(add: int, remove: int, quota: Quota) -> None:
    if add > quota.remaining + remove:
        raise QuotaExceeded(
            f"{add:,} URLs would have to be added and ZIA accepts {quota.remaining + remove:,} "
            f"more ({quota.used:,} are in use), so nothing was changed",
            tip="remove URLs from other categories, or ask Zscaler for a larger quota",
        )
