"""A URL category of ZIA as the target.

What this program may remove it must have added, so ownership is written down before each request
(see `nss.sync.state`). A request that was surely not carried out takes its claim back.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Literal

import msgspec

from nss.config.sync import SyncConfig
from nss.status.sync_readings import BlockingReading
from nss.sync import TargetUnfit, Unsettled, events
from nss.sync.changes import changes, chunks, key, keys
from nss.sync.domains import SetAside
from nss.sync.state import CategoryMemory, SyncStore
from nss.sync.targets import At, Done, Plan
from nss.sync.unbroken import unbroken
from nss.zia import (
    Busy,
    Category,
    Quota,
    QuotaExceeded,
    RequestRefused,
    SignInRefused,
    UrlCategories,
    ZiaError,
)

DESCRIPTION = "URLs of apps that are unsanctioned in Microsoft Defender for Cloud Apps, kept by NSS"

MAX_REFUSALS = 100
"""How many requests may be refused while the URLs are sought that ZIA does not accept."""

MAX_SPLITTING_REFUSALS = 60
"""From then on no refused request is taken apart any more; those that follow may be accepted."""

MAX_USELESS_REFUSALS = 40
"""How many there may be before ZIA has accepted anything at all."""

_MANY_REFUSED = (
    "ZIA refuses more URLs than can be sought out at once; the next run continues with the rest"
)
_QUOTA_TIP = "remove URLs from other categories, or ask Zscaler for a larger quota"
_BAD_REQUEST = 400
_NOT_FOUND = 404
_MAX_NAMED = 3

Look = Callable[[str, float], Awaitable[BlockingReading]]
"""Finds out until a deadline whether the category, by its name for people, is blocked."""


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
        look: Look | None = None,
        close: Callable[[], Awaitable[None]] | None = None,
        at: At = lambda _point: None,
    ) -> None:
        self.kind: Literal["zia"] = "zia"
        self.destination = f"URL category {settings.category}"
        self._categories = categories
        self._settings = settings
        self._store = store
        self._account = account
        self._look = look
        self._close = close
        self._at = at
        self._category: Category | None = None
        self._memory = CategoryMemory()
        self._refused: list[SetAside] = []
        self._refusals = 0
        self._is_accepting = False

    async def close(self) -> None:
        """See `Target.close`."""
        if self._close is not None:
            await self._close()

    async def blocking(self, deadline: float) -> BlockingReading | None:
        """See `Target.blocking`."""
        return None if self._look is None else await self._look(self.destination, deadline)

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
            present=len(present if settings.exclusive else self._memory.owned & keys(present)),
            quota=quota,
            # What is gone is ours no more: somebody may add it again by hand.
            repairs=memory.is_pending
            or bool(gone)
            or memory.shared != _shared(wanted, present, memory.owned),
        )

    async def carry_out(self, plan: Plan, wanted: Sequence[str], deadline: float) -> Done:
        """See `Target.carry_out`."""
        self._refused, self._refusals, self._is_accepting = [], 0, False
        remaining = 0 if plan.quota is None else plan.quota.remaining
        try:
            if len(plan.add) <= remaining:
                await self._add(plan.add, deadline)
                await self._remove(plan.remove, deadline)
            else:  # the URLs that go make room for those that come
                await self._remove(plan.remove, deadline)
                await self._check_room(len(plan.add), deadline)
                await self._add(plan.add, deadline)
            await self._put_in_force(deadline)
            await self._check(plan, wanted, deadline)
        except RequestRefused as error:
            if error.status != _NOT_FOUND:
                raise
            raise Unsettled(f"somebody has removed the {self.destination} meanwhile") from None
        if wanted and len(self._refused) == len(wanted):
            first = self._refused[0]
            raise RequestRefused(
                f"ZIA accepts none of the {len(wanted):,} URLs; the first, {first.entry}: "
                f"{first.reason}"
            )
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
        reasons = {at: text for at, text in self._memory.refused.items() if at in refused}
        shared = _shared(wanted, present, owned)
        await self._remember(owned=owned, shared=shared, refused=reasons)
        if missing or lingering:
            parts = [
                f"{len(urls):,} {text}: {', '.join(urls[:_MAX_NAMED])}"
                for urls, text in ((missing, "missing"), (lingering, "not removed"))
                if urls
            ]
            raise Unsettled(
                f"the {self.destination} is not what was sent ({'; '.join(parts)})",
                tip=_MANY_REFUSED
                if self._refusals > MAX_SPLITTING_REFUSALS
                else "see in ZIA's audit log who else changes this category",
            )

    # What is changed.

    async def _add(self, urls: Sequence[str], deadline: float) -> None:
        known = self._memory.refused
        fresh = [url for url in urls if key(url) not in known]
        again = [url for url in urls if key(url) in known]
        for part in (fresh, again):  # what was refused before must not sink what was not
            for chunk in chunks(part, self._settings.urls_per_request):
                if self._refusals <= MAX_REFUSALS:
                    await self._add_accepted(chunk, deadline)
                else:
                    self._give_up(chunk)

    async def _add_accepted(self, urls: list[str], deadline: float) -> None:
        """Add URLs; those that ZIA does not accept, each by itself, are set aside."""
        try:
            await self._add_claimed(urls, deadline)
            self._is_accepting = True
        except QuotaExceeded:
            raise
        except RequestRefused as error:
            self._refusals += 1
            is_new = key(urls[0]) not in self._memory.refused
            is_useless = self._refusals > MAX_USELESS_REFUSALS and not self._is_accepting
            if error.status != _BAD_REQUEST or (is_useless and is_new):
                raise
            if len(urls) == 1:
                reason = f"ZIA refuses it: {error.sentence}"
                self._refused.append(SetAside(urls[0], reason))
                await self._remember(refused=self._memory.refused | {key(urls[0]): reason})
                return
            if self._refusals > MAX_SPLITTING_REFUSALS:
                self._give_up(urls)
                return
            middle = len(urls) // 2
            await self._add_accepted(urls[:middle], deadline)
            await self._add_accepted(urls[middle:], deadline)

    def _give_up(self, urls: Sequence[str]) -> None:
        """Leave URLs for the next run; those that were refused before are set aside."""
        known = self._memory.refused
        self._refused += [SetAside(url, known[key(url)]) for url in urls if key(url) in known]

    async def _add_claimed(self, urls: list[str], deadline: float) -> None:
        """Add URLs that are written down as ours first, and create the category if need be."""
        if self._category is None:  # what was in another category of that name is not there
            self._memory = msgspec.structs.replace(self._memory, id=None, owned=frozenset())
        else:  # what somebody has added since the plan was made is not ours
            there = keys(self._category.all_urls)
            urls = [url for url in urls if key(url) not in there]
            if not urls:
                return
        was_pending, claimed = self._memory.is_pending, keys(urls)
        await self._remember(claimed=claimed, is_pending=True)
        self._at("claimed")
        try:
            self._category = await self._sent(urls, deadline)
        except ZiaError as error:
            if not error.is_unclear:
                await self._remember(claimed=frozenset(), is_pending=was_pending)
            if isinstance(error, Busy | SignInRefused) or not await self._turns_up(deadline):
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
            was_pending = self._memory.is_pending
            await self._remember(is_pending=True)
            self._at("removing")
            try:
                self._category = await self._categories.remove(self._category, chunk, deadline)
            except ZiaError as error:
                if not error.is_unclear:
                    await self._remember(is_pending=was_pending)
                raise
            self._at("removed")
            # Whoever adds it by hand from now on has it for good.
            gone = keys(chunk) - keys(self._category.all_urls)
            await self._remember(owned=self._memory.owned - gone)

    async def _check_room(self, add: int, deadline: float) -> None:
        """Raise `QuotaExceeded` if what was removed made too little room: others have it, too."""
        quota = await self._categories.quota(deadline)
        if add > quota.remaining:
            await self._put_in_force(deadline)
            raise QuotaExceeded(
                f"{add:,} URLs would have to be added and ZIA accepts {quota.remaining:,} more "
                f"({quota.used:,} are in use): what is wanted no longer was removed, and nothing "
                "was added",
                tip=_QUOTA_TIP,
            )

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

    async def _remember(self, **changed: str | frozenset[str] | dict[str, str] | bool) -> None:
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
            tip=_QUOTA_TIP,
        )
