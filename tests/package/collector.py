"""A real rsyslog at our end of the cable."""

import contextlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.package.machine import lines_of, wait_for

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Collector:
    """A real rsyslog at our end of the cable."""

    received: Path
    udp: int = 1514
    tcp: int = 1601

    def lines(self) -> list[str]:
        """Return what it has written."""
        return list(lines_of(self.received))

    def users(self) -> set[str]:
        """Return the users in the lines."""
        return {
            part.removeprefix("usrName=")
            for line in self.lines()
            for part in line.split("\t")
            if part.startswith("usrName=")
        }

    def wait_for_users(self, users: set[str], secs: float = 90) -> None:
        """Wait until there was a line of each."""
        wait_for(lambda: users <= self.users(), "the collector has them all", secs)


@contextlib.contextmanager
def collecting(folder: Path) -> Iterator[Collector]:
    """Run rsyslog for UDP and TCP at all addresses; skip the test where there is none."""
    unpacked = _peers()
    try:
        found = unpacked.rsyslog()
    except unpacked.NotUnpacked as error:
        pytest.skip(str(error))
    made = Collector(folder / "received")
    config = folder / "rsyslog.conf"
    config.write_text(
        f"""\
global(workDirectory="{folder}" maxMessageSize="64k"
       parser.escapeControlCharactersOnReceive="off")
module(load="imudp")
module(load="imtcp")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="raw") {{ action(type="omfile" file="{made.received}" template="raw") }}
input(type="imudp" address="0.0.0.0" port="{made.udp}" ruleset="raw")
input(type="imtcp" address="0.0.0.0" port="{made.tcp}" ruleset="raw")
"""
    )
    command = [
        *(str(found.program), *found.options),
        *("-n", "-f", str(config), "-i", str(folder / "rsyslog.pid")),
    ]
    with (folder / "rsyslog.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - ours
            command, env=os.environ | found.env, stdout=log, stderr=log
        )
    try:
        yield made
    finally:
        process.kill()
        process.wait()


def _peers() -> Any:  # noqa: ANN401 - a script of the benchmarks, which know where peers are
    spec = importlib.util.spec_from_file_location("unpacked", ROOT / "benchmarks" / "unpacked.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["unpacked"] = module
    spec.loader.exec_module(module)
    return module
