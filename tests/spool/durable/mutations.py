"""Damaged spool files by the thousand, and what may become of them.

A spool is filled, some of it delivered, and its files are copied while it is in use, as a kill or a
power cut would leave them. Then bytes are changed in a copy, the copy is opened, and everything it
gives is held against what was put in: the judge knows that, and nothing of how the spool works.
"""

import argparse
import asyncio
import logging
import multiprocessing
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nss.batch import Account, Batch
from nss.config.model import DurableSpoolConfig
from nss.spool import Reject, SpoolClosed, SpoolError
from nss.spool.durable.spool import DurableSpool
from nss.telemetry import events
from nss.telemetry.events import counters

SOURCES = ("web", "dns", "proxy")
FEEDS: Mapping[str, tuple[str, ...]] = {"all": SOURCES, "some": ("web",), "late": ("dns", "web")}
SUFFIXES = ("", "-wal", "-shm")
PAGE_BYTES = 16384
FRAME_BYTES = PAGE_BYTES + 24

LIVES = 5
"""How many starts there may be until two in a row work."""

REPORTS = ("records_missing", "spool_salvages", "batches_damaged", "spool_losses")
"""Counters that move when somebody is told of a loss."""


@dataclass(slots=True)
class Image:
    """A copy of a spool's files, and what the spool had promised."""

    folder: Path
    owed: dict[str, list[bytes]] = field(default_factory=dict)
    """The records that each feed has not passed."""
    passed: dict[str, list[bytes]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a damaged copy."""

    outcome: str
    """`correct`, `reported` or `refused`."""
    fault: str = ""
    """What must not have happened."""


def settings(path: Path) -> DurableSpoolConfig:
    return DurableSpoolConfig(
        path=path, max_bytes=1 << 30, min_free_bytes=0, replay_minutes=60, rejects_max_bytes=1 << 20
    )


async def opened(path: Path) -> DurableSpool:
    return await DurableSpool.open(settings(path), again_secs=0.0001)


async def make_images(folder: Path) -> list[Image]:
    """Return copies from several moments of a spool's life."""
    images, path = [], folder / "origin" / "spool.db"
    path.parent.mkdir()
    owed: dict[str, list[bytes]] = {feed: [] for feed in FEEDS}
    passed: dict[str, list[bytes]] = {feed: [] for feed in FEEDS}
    spool = await opened(path)
    for life in range(4):
        cursors = {feed: await spool.cursor(feed, sources) for feed, sources in FEEDS.items()}
        for number in range(life * 24, life * 24 + 24):
            source = SOURCES[number % 3]
            records = [b"record %d-%d %s" % (number, n, b"x" * (n * 40)) for n in range(9)]
            await spool.append(
                Batch(source, b"".join(r + b"\n" for r in records), 9, f"at {number}", "10.0.0.1")
            )
            for feed, sources in FEEDS.items():
                owed[feed] += records if source in sources else []
        for feed, cursor in cursors.items():
            for _ in range({"all": 12, "some": 4, "late": 1}[feed]):
                entry = await cursor.next()
                records = entry.batch.data.splitlines()
                done = Account(delivered=len(records) - 1, rejected=1)
                reject = Reject(entry.batch.source, "10.0.0.1", "bad", records[-1])
                await cursor.advance(entry.sequence, done, [reject])
                passed[feed] += records
                del owed[feed][: len(records)]
        await spool.settle()
        images.append(_copy(path, folder / f"image{life}", owed, passed))
        if life in {0, 2}:
            await spool.close()
            images.append(_copy(path, folder / f"closed{life}", owed, passed))
            spool = await opened(path)
    await spool.close()
    return images


def _copy(
    path: Path, folder: Path, owed: dict[str, list[bytes]], passed: dict[str, list[bytes]]
) -> Image:
    copies = ({feed: list(r) for feed, r in records.items()} for records in (owed, passed))
    shutil.copytree(path.parent, folder)
    return Image(folder, *copies)


def mutate(folder: Path, chance: random.Random) -> str:
    """Damage the files in a folder; return how, for people."""
    present = [suffix for suffix in SUFFIXES if (folder / f"spool.db{suffix}").exists()]
    if not present:
        return "nothing left"
    suffix = chance.choice([*present, *(suffix for suffix in present if suffix != "-shm")])
    path = folder / f"spool.db{suffix}"
    data = bytearray(path.read_bytes())
    kind = chance.choice(["bit"] * 8 + ["byte"] * 4 + ["run", "zeros", "cut", "grow", "swap"])
    if chance.random() < 0.02 or not data:
        path.unlink()
        return f"{path.name} removed"
    at = _place(suffix, len(data), chance)
    length = min(chance.choice([2, 16, 200, 5000]), len(data) - at)
    if kind == "bit":
        data[at] ^= 1 << chance.randrange(8)
    elif kind == "byte":
        data[at] = chance.randrange(256)
    elif kind == "run":
        data[at : at + length] = chance.randbytes(length)
    elif kind == "zeros":
        data[at : at + length] = bytes(length)
    elif kind == "cut":
        del data[at:]
    elif kind == "grow":
        data += chance.randbytes(length)
    else:
        other = _place(suffix, len(data), chance)
        length = min(length, len(data) - max(at, other))
        data[at : at + length], data[other : other + length] = (
            data[other : other + length],
            data[at : at + length],
        )
    path.write_bytes(data)
    return f"{path.name} {kind} at {at}"


def _place(suffix: str, size: int, chance: random.Random) -> int:
    """Return where to change something: blobs are most of a file, and the least interesting."""
    pages = max(1, size // PAGE_BYTES)
    if suffix == "-wal":
        frame = 32 + chance.randrange(max(1, size // FRAME_BYTES)) * FRAME_BYTES
        places = [chance.randrange(32), frame + chance.randrange(24), frame + 24 + 100]
    else:
        page = chance.randrange(pages) * PAGE_BYTES
        places = [chance.randrange(100), 100 + chance.randrange(12), page + chance.randrange(40)]
        places += [
            PAGE_BYTES - 1 - chance.randrange(6000),
            page + PAGE_BYTES - 1 - chance.randrange(900),
        ]
    places += [chance.randrange(size), chance.randrange(size)]
    return min(chance.choice(places), size - 1)


async def judge(image: Image, folder: Path) -> Verdict:
    """Open a damaged copy twice, take everything out of it, and say what became of it."""
    events.clear()
    got: dict[str, list[bytes]] = {feed: [] for feed in FEEDS}
    counted = dict.fromkeys(FEEDS, 0)
    outcome, clean = "correct", 0
    for _ in range(LIVES):
        counters.clear()
        try:
            spool = await opened(folder / "spool.db")
        except SpoolError as error:
            return Verdict("refused", "" if _is_sentence(str(error)) else f"says {error!s}")
        try:
            fault = await _drain(spool, got, counted)
            clean += 1
        except SpoolError as error:
            outcome = "reported"  # it was found out while in use: the next start saves it
            fault = "" if _is_sentence(str(error)) else f"says {error!s}"
        finally:
            await spool.close()
        if any(counters[counter, part] for counter, part in list(counters) if counter in REPORTS):
            outcome = "reported"
        if fault:
            return Verdict(outcome, fault)
        if clean == 2:
            break
    if clean < 2:
        return Verdict(outcome, "it can't be used, again and again")
    return _compared(image, got, counted, outcome)


async def _drain(spool: DurableSpool, got: dict[str, list[bytes]], counted: dict[str, int]) -> str:
    """Take all out; return what was wrong with the accounts."""
    cursors = {feed: await spool.cursor(feed, sources) for feed, sources in FEEDS.items()}
    await spool.append(Batch("web", b"new\n", 1))  # the file must still take something
    spool.seal()
    for feed, cursor in cursors.items():
        rejected = cursor.account.rejected
        while True:
            try:
                entry = await cursor.next()
            except SpoolClosed:
                break
            records = entry.batch.data.splitlines()
            got[feed] += records
            await cursor.advance(entry.sequence, Account(delivered=len(records)))
        counted[feed] = max(counted[feed], cursor.account.rejected)
        account = cursor.account
        if cursor.accepted_records != account.done - account.unpacked + cursor.pending_records:
            return f"the account of {feed} does not add up"
        if account.rejected < rejected:
            return f"{feed} forgot rejects"
    await spool.settle()
    await spool.rejects()
    return ""


def _compared(
    image: Image, got: dict[str, list[bytes]], counted: dict[str, int], outcome: str
) -> Verdict:
    for feed in FEEDS:
        owed, passed = image.owed[feed], image.passed[feed]
        came = [record for record in got[feed] if record != b"new"]
        strange = set(came) - set(owed) - set(passed)
        if strange:
            return Verdict(outcome, f"{feed} delivered what nobody sent: {min(strange)!r}")
        missing = len(set(owed) - set(came))
        if missing and outcome == "correct":
            return Verdict(outcome, f"{feed} lacks {missing} records, and nobody was told")
        if missing > counted[feed]:
            return Verdict(outcome, f"{feed} lacks {missing} records and counts {counted[feed]}")
        if not missing and outcome == "correct" and set(came) & set(passed):
            return Verdict(outcome, f"{feed} delivered again what it had passed")
        order = list(dict.fromkeys(record for record in came if record in set(owed)))
        if order != [record for record in owed if record in set(order)]:
            return Verdict(outcome, f"{feed} delivered out of order")
    return Verdict(outcome)


def _is_sentence(text: str) -> bool:
    sentence, _, tip = text.partition("\nTry: ")
    return sentence.startswith("spool: ") and "\n" not in sentence + tip


def run(images: list[Image], folder: Path, seeds: Iterable[int]) -> Counter[str]:
    """Judge one mutation a seed; return how often each outcome was. Raises AssertionError."""
    outcomes: Counter[str] = Counter()
    work = folder / "work"
    for seed in seeds:
        chance = random.Random(seed)
        image = chance.choice(images)
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(image.folder, work)
        how = "; ".join(mutate(work, chance) for _ in range(chance.choice([1, 1, 1, 2])))
        case = f"seed {seed}: {image.folder.name}, {how}"
        try:
            verdict = asyncio.run(asyncio.wait_for(judge(image, work), 60))
        except Exception as error:
            raise AssertionError(f"{case}: {type(error).__name__}: {error}") from error
        assert not verdict.fault, f"{case}: {verdict.outcome}, but {verdict.fault}"
        outcomes[verdict.outcome] += 1
    return outcomes


def _some(seeds: range) -> Counter[str]:
    """Make images and judge the mutations of these seeds, in a process of its own."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        return run(asyncio.run(make_images(Path(folder))), Path(folder), seeds)


def main() -> None:
    """Judge mutations on all cores; ends with a traceback at the first that went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=10_000, help="how many mutations")
    options = parser.parse_args()
    last = options.first + options.count
    parts = [range(n, min(n + 250, last)) for n in range(options.first, last, 250)]
    outcomes: Counter[str] = Counter()
    with multiprocessing.Pool() as pool:
        for part in pool.imap_unordered(_some, parts):
            outcomes += part
    counts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    print(f"{outcomes.total()} mutations: {counts}")  # noqa: T201 - a command


if __name__ == "__main__":
    main()
