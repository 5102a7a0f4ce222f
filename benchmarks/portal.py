"""What the portal costs the stream: eight feeds at full rate, with and without open pages.

A file is moved to where the service follows it, and all feeds write it into files; measured from
then until each feed has delivered everything, by the status at the control socket. Rounds without
and with pages take turns. A page is what a browser keeps open: its event stream, and for a feed its
figures every five seconds. The browser's own work is not measured: it happens elsewhere.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import corpus
import disk
import httpx
import measure
import orjson
import peers
import run
from running import Running, free_port, running

from nss.admin.control.client import ControlClient

_LOOK_SECS = 0.05
_ANSWER_SECS = 30.0
_FIGURES_SECS = 5.0
_PAGES = (
    ("/overview/live",),
    ("/feeds-list/live",),
    ("/feeds/f0/live", "/feeds/f0/series.json?span=15m"),
    ("/feeds/f1/live", "/feeds/f1/series.json?span=15m"),
    ("/integrations/live",),
)
"""The event stream of each page, and what it asks for every five seconds."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round took."""

    pages: int
    secs: float
    cpu_secs: float
    events: int
    """Messages that pages received."""


def write_config(folder: Path, feeds: int, port: int) -> Path:
    """Write the configuration, return its path."""
    parts = [
        f"""\
[service]
control_socket = "{folder}/control.sock"
state_directory = "{folder}"
[portal]
listen = "127.0.0.1:{port}"
[spool]
path = "{folder}/spool.db"
max_bytes = "16GiB"
replay_minutes = 0
[sources.web]
kind = "file"
path = "{folder}/records.json"
poll_secs = 0.05
"""
    ]
    parts += [
        f"""\
[feeds.f{number}]
format = "QRADAR"
[feeds.f{number}.sink]
kind = "file"
path = "{folder}/f{number}.txt"
"""
        for number in range(feeds)
    ]
    config = folder / "nss.toml"
    config.write_text("".join(parts), encoding="utf-8")
    return config


async def signed_in(browser: httpx.AsyncClient, client: ControlClient) -> None:
    """Sign a browser in, as a link of `nss portal sign-in-link` does."""
    link = await asyncio.to_thread(client.sign_in_link, "viewer")
    token = httpx.URL(link).params["t"]
    origin = str(browser.base_url).rstrip("/")
    answer = await browser.post("/once", data={"t": token}, headers={"origin": origin})
    if answer.status_code != httpx.codes.SEE_OTHER:
        raise RuntimeError(f"nobody could sign in: {answer.status_code}")


class Pages:
    """Pages that are open; `events` counts what they were sent."""

    def __init__(self, browser: httpx.AsyncClient, wanted: int) -> None:
        self.events = 0
        self._browser = browser
        self._wanted = wanted

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Pages"]:
        """Have them open inside."""
        tasks = [asyncio.create_task(self._watch(*_PAGES[n])) for n in range(self._wanted)]
        try:
            await asyncio.sleep(1)
            for task in tasks:
                if task.done():
                    task.result()
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, stream: str, *figures: str) -> None:
        async with asyncio.TaskGroup() as group:
            for path in figures:
                group.create_task(self._ask(path))
            async with self._browser.stream("GET", stream) as answer:
                answer.raise_for_status()
                async for chunk in answer.aiter_bytes():
                    self.events += chunk.count(b"\n\n")

    async def _ask(self, path: str) -> None:
        while True:
            (await self._browser.get(path)).raise_for_status()
            await asyncio.sleep(_FIGURES_SECS)


async def measured(
    service: Running, folder: Path, records: Path, wanted: int, pages: int, port: int
) -> Round:
    """Return what a round with so many pages took. Raises `RuntimeError`."""
    service.wait_for_port(port)
    client = ControlClient(folder / "control.sock")
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=_ANSWER_SECS
    ) as browser:
        await signed_in(browser, client)
        async with Pages(browser, pages).open() as opened:
            cpu_before, began = service.cpu_secs, time.monotonic()
            await asyncio.to_thread(records.rename, folder / "records.json")
            while True:
                status = await asyncio.to_thread(client.status)
                if all(feed.delivered + feed.rejected >= wanted for feed in status.feeds):
                    break
                await asyncio.sleep(_LOOK_SECS)
            took_secs = time.monotonic() - began
            result = Round(pages, took_secs, service.cpu_secs - cpu_before, opened.events)
    client.close()
    return result


def measure_round(data: Path, pages: int, number: int, chosen: argparse.Namespace) -> Round:
    """Start a service, and measure."""
    folder = data / f"round-{number}-{pages}"
    folder.mkdir()
    records = folder / "records.part"
    records.write_bytes((data / corpus.RECORDS_FILE).read_bytes())
    port = free_port()
    config = write_config(folder, chosen.feeds, port)
    launch = measure.Launch(
        [peers.nss_program(peers.Programs(chosen.nss)), "run", "-c", str(config)]
    )
    with running(launch, folder) as service:
        return asyncio.run(measured(service, folder, records, chosen.records, pages, port))


def show(rounds: Sequence[Round], chosen: argparse.Namespace) -> None:
    """Print the rounds, and the ratios of their medians."""
    if chosen.json:
        print(orjson.dumps([asdict(each) for each in rounds], option=orjson.OPT_INDENT_2).decode())
        return
    print("pages   records/s     secs   CPU us/rec   events")
    for each in rounds:
        print(
            f"{each.pages:>5} {chosen.records / each.secs:>11,.0f} {each.secs:>8.2f}"
            f" {each.cpu_secs * 1e6 / chosen.records:>12.2f} {each.events:>8,}"
        )
    without = [each for each in rounds if not each.pages]
    opened = [each for each in rounds if each.pages]
    rate = statistics.median(each.secs for each in without) / statistics.median(
        each.secs for each in opened
    )
    cpu = statistics.median(each.cpu_secs for each in opened) / statistics.median(
        each.cpu_secs for each in without
    )
    print(f"with {chosen.pages} pages: {rate:.3f} of the rate, {cpu:.3f} times the CPU (medians)")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--feeds", type=int, default=8)
    parser.add_argument("--pages", type=int, default=len(_PAGES), choices=range(1, len(_PAGES) + 1))
    parser.add_argument("--rounds", type=int, default=3, help="with and without each (default 3)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hostile-share", type=float, default=0.02)
    parser.add_argument("--long-share", type=float, default=0.03)
    parser.add_argument("--disk", type=Path, help="where the spool is written (default: /tmp)")
    parser.add_argument("--nss", help="the nss program (default: of this environment)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


def main() -> int:
    """Measure and print."""
    chosen = arguments()
    found_disk = disk.disk(chosen.disk)
    with tempfile.TemporaryDirectory(prefix="nss-portal-", dir=found_disk.folder) as folder:
        data = Path(folder)
        run.write_corpus(data, chosen)
        (data / corpus.LINES_FILE).unlink()
        rounds = [
            measure_round(data, pages, number, chosen)
            for number in range(chosen.rounds)
            for pages in (0, chosen.pages)
        ]
    show(rounds, chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
