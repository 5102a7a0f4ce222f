"""Measures uploads to Cloud Discovery: file -> spool -> MCAS LEEF -> lab over TLS.

The lab (sign-in, API and storage on loopback) runs beside it and takes what it takes of the same
cores; what it parses of the uploads is not waited for until the end, and then every record must be
there. Records a second are from the start of the service to its last finalize, CPU and memory those
of the service alone.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import corpus
import disk
import measure
import orjson
import peers
from running import running

from nss.errors import InputMissing
from nss.lab.cloud import CloudLab
from nss.lab.generator import RecordGenerator
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.secret import Secret
from nss.spool.durable.inspect import read_totals

_LOOK_SECS = 0.02
_POOL_RECORDS = 50_000
_CASES = {"durable": False, "durable-gzip": True}


@dataclass(frozen=True, slots=True)
class Result:
    """What one case took."""

    name: str
    records: int
    secs: float
    cpu_secs: float
    peak_bytes: int
    uploads: int
    uploaded_bytes: int

    def row(self) -> str:
        """Return it as a line of a table."""
        return (
            f"{self.name:14}{self.records / self.secs:10,.0f}{self.secs:8.2f}"
            f"{self.cpu_secs * 1e6 / self.records:12.2f}{self.peak_bytes / (1 << 20):10.1f}"
            f"{self.uploads:9}{self.uploaded_bytes / 1e6:9.1f}"
        )


def measure_case(name: str, data: Path, chosen: argparse.Namespace) -> Result:
    """Run the service until everything is uploaded. Raises `RuntimeError` when it isn't."""
    folder = data / name
    state, lab_folder = folder / "state", folder / "lab"
    for made in (state, lab_folder):
        made.mkdir(parents=True)
    with CloudLab(lab_folder, requests_per_minute=100_000, keep_uploads=False) as lab:
        CredentialsStore(state, {}).save(
            McasCredentials(
                method="secret",
                client_id=lab.client_id,
                client_secret=Secret(lab.client_secret),
                authentication_url=lab.authentication_url,
                api_url=lab.api_url,
            )
        )
        write_config(folder, data / corpus.RECORDS_FILE, lab.ca_file, gzip=_CASES[name])
        program = peers.nss_program(peers.Programs(chosen.nss))
        launch = measure.Launch([program, "run", "-c", str(folder / "nss.toml")])
        began, cpu_secs, peak_bytes = time.monotonic(), 0.0, 0
        with running(launch, folder) as service:
            while delivered(folder) < chosen.records:
                if time.monotonic() - began > chosen.limit_secs:
                    told = (folder / "output.txt").read_text()[-500:]
                    raise RuntimeError(f"{name}: not done in time: {told}")
                time.sleep(_LOOK_SECS)
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                    cpu_secs, peak_bytes = service.cpu_secs, service.peak_bytes
            secs = time.monotonic() - began
        uploads = len(lab.mcas.uploads)
        uploaded_bytes = sum(one.size_bytes for one in lab.mcas.uploads)
        if not lab.parser.wait_parsed(chosen.records, chosen.limit_secs) or lab.complaints:
            raise RuntimeError(f"{name}: {lab.parser.records} arrived; {lab.complaints[:3]}")
    return Result(name, chosen.records, secs, cpu_secs, peak_bytes, uploads, uploaded_bytes)


def write_config(folder: Path, records: Path, ca_file: Path, *, gzip: bool) -> None:
    """Write the configuration: uploads of the usual size, the last one at the file's end."""
    (folder / "nss.toml").write_text(
        f"""\
[service]
log_format = "json"
control_socket = "off"
state_directory = "{folder / "state"}"

[mcas]
ca_file = "{ca_file}"
requests_per_minute = 10000

[spool]
path = "{folder / "spool.db"}"

[sources.web]
kind = "file"
path = "{records}"
follow = false

[feeds.up]
format = "MCAS"

[feeds.up.sink]
kind = "cloud_discovery"
gzip = {str(gzip).lower()}
"""
    )


def delivered(folder: Path) -> int:
    """Return how many records the feed has delivered, by the spool's file."""
    with contextlib.suppress(InputMissing):  # not there yet
        return read_totals(folder / "spool.db").delivered
    return 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--only", action="append", choices=_CASES, metavar="CASE")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit-secs", type=float, default=300, help="for a case (default 300)")
    parser.add_argument("--disk", type=Path, help="where files are written (default: /tmp)")
    parser.add_argument("--nss", help="the nss program (default: of this environment)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


def write_records(path: Path, chosen: argparse.Namespace) -> None:
    """Write the records: a pool of recent ones, again and again."""
    generator = RecordGenerator(chosen.seed, start_epoch=int(time.time()))
    pool = list(generator.lines(min(_POOL_RECORDS, chosen.records)))
    with path.open("wb") as file:
        left = chosen.records
        while left:
            part = pool[:left]
            file.write(b"\n".join(part) + b"\n")
            left -= len(part)


def main() -> int:
    """Measure and print."""
    chosen = arguments()
    found_disk = disk.disk(chosen.disk)
    with tempfile.TemporaryDirectory(prefix="nss-upload-", dir=found_disk.folder) as folder:
        data = Path(folder)
        write_records(data / corpus.RECORDS_FILE, chosen)
        results = [measure_case(name, data, chosen) for name in chosen.only or _CASES]
    if chosen.json:
        print(orjson.dumps([asdict(one) for one in results], option=orjson.OPT_INDENT_2).decode())
    else:
        print(f"{chosen.records:,} records; {found_disk}")
        print("case           records/s    secs  CPU us/rec  peak MiB  uploads       MB")
        print("\n".join(one.row() for one in results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
