"""A running service to which breakages happen, and what `nss status` says of each."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from nss.status.summary import Reason, Status
from tests.faults.conftest import Scene, pytest_asyncio_loop_factories, small_disk

__all__ = ["pytest_asyncio_loop_factories", "small_disk"]

GOLDEN = Path(__file__).parent / "golden"
"""What is told of each breakage, the times and places normalised; docs/troubleshooting.md shows
the same."""

WAIT_SECS = float(os.environ.get("NSS_BREAKAGE_SECS", "40"))
"""How long a breakage may take to show; less is for whoever writes a golden file."""

_NO_REASON = "nothing is wrong\n"

_WIDE = "2000"
"""So many columns break no line, not even at a long path."""

_SINCE, _NEXT = "since 02:58 (4 min)", "next try in 30 s"
_TIMES = re.compile(r"^  since [^(\n]*\([^)\n]*\)|(?:(?<=^  )|(?<=, ))next try .*$", re.MULTILINE)


def told(reason: Reason) -> str:
    """Return a reason as lines, its times normalised: what a golden file has of it."""
    times = []
    if reason.since is not None:
        times.append(_SINCE)
    if reason.next_try_at is not None:
        times.append(_NEXT)
    details = [", ".join(times), reason.meaning, f"Try: {reason.remedy}"]
    head = f"{'!' if reason.degrades else '-'} {reason.component}: {reason.why}"
    return "\n".join([head, *(f"  {detail}" for detail in details if detail), ""])


def incomplete(reason: Reason) -> list[str]:
    """Return what a reason lacks of what everybody needs at three in the morning."""
    texts = {"why": reason.why, "meaning": reason.meaning, "remedy": reason.remedy}
    found = [f"no {name}" for name, text in texts.items() if not text.strip()]
    found += [
        f"{name} has {mark!r}"
        for name, text in texts.items()
        for mark in ("Try: ", "Errno", "\n")
        if mark in text
    ]
    if reason.degrades and reason.since is None:
        found.append("no since")
    return found


def _normal(found: re.Match[str]) -> str:
    return f"  {_SINCE}" if found[0].startswith("  ") else _NEXT


class Breakages(Scene):
    """A scene whose status is compared with golden files."""

    def normalised(self, status: Status, places: Mapping[str, str]) -> str:
        """Return what the health of a status says, `places` (patterns) put into plain words."""
        return self._plain("".join(map(told, status.health.reasons)) or _NO_REASON, places)

    def _plain(self, text: str, places: Mapping[str, str]) -> str:
        text = text.replace(str(self.folder), "/etc/nss")
        for pattern, plain in places.items():
            text = re.sub(pattern, plain, text)
        return text

    async def shows(self, name: str, places: Mapping[str, str] | None = None) -> Status:
        """Wait until the status says what `golden/NAME.txt` has, to the last letter; return it.

        `nss status` prints the same, and every reason is complete. `places` are plain
        texts by the regular expressions that they replace: `{"127.0.0.1:[0-9]+": "siem:514"}`.
        """
        places = places or {}
        golden = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
        status = await self.status()
        try:
            async with asyncio.timeout(WAIT_SECS):
                while self.normalised(status, places) != golden:
                    await asyncio.sleep(0.03)
                    status = await self.status()
        except TimeoutError:
            assert self.normalised(status, places) == golden
        for reason in status.health.reasons:
            assert incomplete(reason) == [], reason
        await self._prints(golden, places, int(not status.health.ok))
        return status

    async def _prints(self, golden: str, places: Mapping[str, str], code: int) -> None:
        """Wait until `nss status` prints the same reasons, to the last letter."""
        text = ""
        for _ in range(5):  # a number may have changed since
            exit_code, text = await self.command("status", COLUMNS=_WIDE)
            head, reasons, *_ = text.split("\n\n")
            text = self._plain(_TIMES.sub(_normal, f"{reasons}\n"), places)
            assert (exit_code, head.split()[0]) == (code, ("healthy", "degraded")[code])
            if text == golden:
                return
        assert text == golden


@pytest.fixture
async def breakages(tmp_path: Path) -> AsyncIterator[Breakages]:
    """A scene in a folder of its own."""
    made = Breakages(tmp_path)
    yield made
    await made.close()
