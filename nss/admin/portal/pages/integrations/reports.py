"""What jobs came to, as pages show it: bounded, and every text harmless."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nss.admin.portal.pages.integrations.foreign import (
    MAX_ITEM_CHARS,
    Shown,
    shown,
    shown_checks,
    shown_list,
)
from nss.checks import Check
from nss.sync.run import Report
from nss.wording import counted

if TYPE_CHECKING:
    from nss.mcas.connection_test import ConnectionReport
    from nss.zia.blocking import Policy, Verdict

MAX_FAILURES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncView:
    """What a run did, or would do."""

    is_preview: bool
    destination: str
    outcome: str
    urls: int
    lists: tuple[Shown, ...]
    repeated: int
    covered: int
    vanished: int
    quota_before: tuple[int, int] | None
    """Used and remaining."""
    quota_after: tuple[int, int] | None
    advice: str
    secs: float

    @property
    def changes_nothing(self) -> bool:
        """Whether nothing is to be added or removed."""
        return not any(found.count for found in self.lists[:2])


def sync_view(report: Report, *, is_preview: bool) -> SyncView:
    """Return what a run did, or with `is_preview` would do."""
    run, plan = report.run, report.plan
    would = "Would be " if is_preview else ""
    aside = [f"{aside.entry}: {aside.reason}" for aside in report.set_aside]
    lists = (
        shown_list(f"{would}added".capitalize(), report.added),
        shown_list(f"{would}removed".capitalize(), plan.remove),
        shown_list("Kept, because people added them", plan.kept),
        shown_list("Set aside, and why", aside),
    )
    before, after = report.quota_before, report.quota_after
    return SyncView(
        is_preview=is_preview,
        destination=shown(run.destination, MAX_ITEM_CHARS),
        outcome=run.outcome,
        urls=run.urls,
        lists=lists,
        repeated=report.repeated,
        covered=report.covered,
        vanished=len(plan.vanished),
        quota_before=None if before is None else (before.used, before.remaining),
        quota_after=None if after is None else (after.used, after.remaining),
        advice=shown(plan.advice),
        secs=run.secs,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictView:
    """Whether something is blocked, and what to do if not."""

    what: str
    is_blocked: bool | None
    reason: str = ""
    remedy: str = ""
    portal: str = ""
    experience_center: str = ""


@dataclass(frozen=True, slots=True)
class BlockingView:
    """The verdicts, and what the API role may not read."""

    verdicts: tuple[VerdictView, ...]
    unread: tuple[tuple[str, str], ...]


def blocking_view(policy: "Policy", verdicts: Sequence["Verdict"]) -> BlockingView:
    """Return what was found of the category, and of a URL if one was asked about."""
    count = 0 if policy.category is None else len(policy.category.all_urls)
    urls = counted(count, "URL")
    category = f'Category "{shown(policy.name, MAX_ITEM_CHARS)}" ({urls})'
    found = []
    for verdict in verdicts:
        what = shown(verdict.url, MAX_ITEM_CHARS) or category
        reason = verdict.reason
        if reason is None:
            found.append(VerdictView(what=what, is_blocked=verdict.is_blocked))
            continue
        found.append(
            VerdictView(
                what=what,
                is_blocked=verdict.is_blocked,
                reason=shown(reason.sentence),
                remedy=shown(reason.remedy),
                portal=reason.portal,
                experience_center=reason.experience_center,
            )
        )
    unread = [(part, shown(problem)) for part, problem in policy.unread.items()]
    return BlockingView(tuple(found), tuple(unread))


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyView:
    """What was found with what is stored: the steps, and files that could not be parsed."""

    steps: tuple[Check, ...]
    failures: tuple[tuple[float, str, str], ...]
    """When each was uploaded, seconds since the epoch; why it failed; what to do."""
    unreadable: str
    resumed: tuple[str, ...]
    """The feeds whose uploads are tried again now."""


def verify_view(report: "ConnectionReport", resumed: Sequence[str]) -> VerifyView:
    """Return what was found with what is stored."""
    failures = (report.failures or ())[:MAX_FAILURES]
    return VerifyView(
        steps=tuple(shown_checks(report.steps)),
        failures=tuple((each.at, shown(each.text), shown(each.remedy)) for each in failures),
        unreadable=shown(report.unreadable),
        resumed=tuple(resumed),
    )
