"""`nss verify-blocking`: whether unsanctioned apps are really blocked."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from cli.output import show_json
from nss.setup.zia import zia_setup
from nss.wording import counted, harmless
from nss.zia import ZiaError
from nss.zia.blocking import Policy, Verdict

_WORDS = {True: "blocked", False: "OPENS", None: "can't be said"}


def verify(path: Path, urls: Sequence[str], *, as_json: bool) -> int:
    """Show a verdict on the category and on each URL; 1 if one opens, 69 if that can't be said."""
    policy, verdicts = asyncio.run(zia_setup(path).blocking(urls))
    if as_json:
        show_json(_plain(policy, verdicts))
    else:
        _show(policy, verdicts)
    if any(verdict.is_blocked is False for verdict in verdicts):
        return 1
    return ZiaError.exit_code if any(verdict.is_blocked is None for verdict in verdicts) else 0


def _show(policy: Policy, verdicts: Sequence[Verdict]) -> None:
    count = 0 if policy.category is None else len(policy.category.all_urls)
    urls = counted(count, "URL")
    for verdict in verdicts:
        what = verdict.url or f'category "{policy.name}" ({urls})'
        typer.echo(f"{_WORDS[verdict.is_blocked]}: {harmless(what)}")
        if verdict.reason is not None:
            typer.echo(f"      {harmless(verdict.reason.sentence)}")
            typer.echo(f"      Try: {harmless(verdict.reason.remedy)}")
            typer.echo(f"      Where: {verdict.reason.portal}")
            typer.echo(f"      In the Experience Center: {verdict.reason.experience_center}")
    for part, problem in policy.unread.items():
        typer.echo(f"not read: {part}: {harmless(problem)}")
        typer.echo("      Try: let the API role read it; until then nothing is concluded from it")


def _plain(policy: Policy, verdicts: Sequence[Verdict]) -> dict[str, object]:
    return {
        "category": policy.name,
        "urls": 0 if policy.category is None else len(policy.category.all_urls),
        "verdicts": [asdict(verdict) for verdict in verdicts],
        "unread": policy.unread,
    }
