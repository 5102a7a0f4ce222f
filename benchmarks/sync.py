"""Measures `nss sync-unsanctioned` against the lab's ZIA at its real pace, with its real limits.

    python benchmarks/sync.py [--urls 25000] [--changed-percent 1] [--json]

Three runs one after the other: the first one of all, one after so many URLs have been replaced in
the list, and one with nothing to change. The lab takes 3 s for a write, 5 s for an activation, and
no more requests a second and an hour than ZIA does; it runs beside the command. After each run the
category must be the list, in force, and nothing may have been refused. CPU and memory are those of
the command alone; seconds are from its start to its end.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import measure
import orjson
import peers

from nss.config.sync import SyncConfig
from nss.lab.cloud import CloudLab
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.secret import Secret
from nss.zia.credentials import ZiaCredentials, ZiaCredentialsStore

_LOOK_SECS = 0.02
_WITH_PATH = 20
"""One URL of so many has a path."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one run took."""

    name: str
    urls: int
    reads: int
    """Requests to ZIA that change nothing."""
    writes: int
    others: int
    """Requests to MCAS, and to sign in."""
    secs: float
    cpu_secs: float
    peak_bytes: int

    def row(self) -> str:
        """Return it as a line of a table."""
        return (
            f"{self.name:12}{self.urls:10,}{self.reads:8}{self.writes:8}{self.others:8}"
            f"{self.secs:10.1f}{self.cpu_secs:9.2f}{self.peak_bytes / (1 << 20):10.1f}"
        )


def url_of(number: int) -> str:
    """Return an entry as MCAS lists them."""
    host = f".app-{number:06}.service-{number % 97}.example.com"
    return host if number % _WITH_PATH else f"{host[1:]}/shared/files/{number}"


def measure_run(name: str, lab: CloudLab, urls: set[str], folder: Path, program: str) -> Result:
    """Have the list synced. Raises `RuntimeError` when the category is not the list then."""
    lab.mcas.unsanctioned.apps = {url: [url] for url in sorted(urls)}
    before = len(lab.requests)
    began = time.monotonic()
    cpu_secs, peak_bytes = _command(
        [program, "sync-unsanctioned", "-c", str(folder / "nss.toml")], folder
    )
    secs = time.monotonic() - began
    requests = lab.requests[before:]
    refused = [request for request in requests if not 200 <= request.status < 300]
    if refused or lab.complaints:
        raise RuntimeError(f"{name}: {refused[:3]} {lab.complaints[:3]}")
    if lab.zia.in_force(SyncConfig().category) != urls:
        raise RuntimeError(f"{name}: what is in force is not the list")
    kinds = Counter(_kind(request.path, request.method) for request in requests)
    return Result(
        name, len(urls), kinds["read"], kinds["write"], kinds["other"], secs, cpu_secs, peak_bytes
    )


def _kind(path: str, method: str) -> str:
    if not path.startswith("/zia/"):
        return "other"
    return "read" if method == "GET" else "write"


def _command(words: list[str], folder: Path) -> tuple[float, int]:
    """Run a command; return its CPU seconds and its peak bytes. Raises `RuntimeError`."""
    log = folder / "output.txt"
    peak_bytes = 0
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        while True:
            peak_bytes = max(peak_bytes, measure.peak_bytes_of(process.pid))
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(_LOOK_SECS)
    process.returncode = os.waitstatus_to_exitcode(status)  # Popen need not wait any more
    if process.returncode:
        raise RuntimeError(f"it failed: {log.read_text(errors='replace')[-500:]}")
    return usage.ru_utime + usage.ru_stime, peak_bytes


def prepare(lab: CloudLab, folder: Path) -> None:
    """Store credentials for both halves, and the configuration."""
    state = folder / "state"
    state.mkdir()
    CredentialsStore(state, {}).save(
        McasCredentials(
            method="secret",
            client_id=lab.client_id,
            client_secret=Secret(lab.client_secret),
            authentication_url=lab.authentication_url,
            api_url=lab.api_url,
        )
    )
    ZiaCredentialsStore(state, {}).save(
        ZiaCredentials(
            method="oneapi_secret",
            client_id=lab.zia.one_api.client_id,
            client_secret=Secret(lab.zia.one_api.secret),
            token_url=lab.one_api_token_url,
            api_url=lab.one_api_url,
        )
    )
    (folder / "nss.toml").write_text(
        f"""\
[service]
state_directory = "{state}"
[mcas]
ca_file = "{lab.ca_file}"
[zia]
ca_file = "{lab.ca_file}"
"""
    )


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--urls", type=int, default=25_000)
    parser.add_argument("--changed-percent", type=float, default=1)
    parser.add_argument("--nss", help="the nss program (default: of this environment)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


def main() -> int:
    """Measure and print."""
    chosen = arguments()
    program = peers.nss_program(peers.Programs(chosen.nss))
    changed = max(1, round(chosen.urls * chosen.changed_percent / 100))
    first = set(map(url_of, range(chosen.urls)))
    second = set(map(url_of, range(changed, chosen.urls + changed)))
    with tempfile.TemporaryDirectory(prefix="nss-sync-") as path:
        folder = Path(path)
        (folder / "lab").mkdir()
        with CloudLab(folder / "lab") as lab:
            lab.zia.keep_real_pace()
            prepare(lab, folder)
            results = [
                measure_run(name, lab, urls, folder, program)
                for name, urls in (("first", first), ("changed", second), ("unchanged", second))
            ]
    if chosen.json:
        print(orjson.dumps([asdict(each) for each in results], option=orjson.OPT_INDENT_2).decode())
    else:
        print(f"{changed:,} of {chosen.urls:,} URLs changed")
        print("run               urls   reads  writes  others      secs  CPU secs  peak MiB")
        print("\n".join(result.row() for result in results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
