"""Where the time of `nss run` goes: CPU microseconds a record by part, file to UDP in one process.

Prints a table. The parts are timed by wrapping the functions that they are; wrapping costs some
tens of nanoseconds a slice of 100 records, which does not show. A receiver that reads nothing
stands at the other end: what it drops has been paid for.
"""

import argparse
import socket
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import corpus

from formats import Pipeline
from formats.compiled import mode
from formats.rendering.renderer import Renderer
from nss.feeds.sending import OutgoingLines
from nss.service import service
from nss.sinks.syslog.udp_sockets import UdpPath

_CONFIG = """\
[service]
log_level = "error"
control_socket = "off"
[spool]
kind = "memory"
[sources.web]
kind = "file"
path = "{records}"
follow = false
[feeds.bench]
format = "QRADAR"
[feeds.bench.sink]
kind = "syslog_udp"
destinations = ["127.0.0.1:{port}"]
max_message_bytes = 65000
"""

_took: defaultdict[str, float] = defaultdict(float)


def timed(owner: type, name: str, part: str) -> None:
    """Add the thread's CPU time inside of a method to a part."""
    method: Callable[..., Any] = getattr(owner, name)

    def wrapped(*arguments: object, **options: object) -> object:
        before = time.thread_time()
        try:
            return method(*arguments, **options)
        finally:
            _took[part] += time.thread_time() - before

    setattr(owner, name, wrapped)


def main() -> int:
    """Run the service once over a corpus and print what each part took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    records = parser.parse_args().records
    timed(Pipeline, "run", "decode + render")
    timed(Renderer, "render", "render")
    timed(UdpPath, "burst", "send")
    timed(OutgoingLines, "mark_delivered", "let go of records and lines")
    started = time.process_time()
    with (
        tempfile.TemporaryDirectory(prefix="nss-profile-") as folder,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(("127.0.0.1", 0))
        corpus.write(Path(folder), records, 1, 0.02, 0.03)
        config = Path(folder) / "nss.toml"
        config.write_text(
            _CONFIG.format(
                records=Path(folder) / corpus.RECORDS_FILE, port=receiver.getsockname()[1]
            )
        )
        making = time.process_time()
        code = service.run(config)
    whole = time.process_time() - making
    parts = dict(_took)
    if mode() == "python":
        parts["decode"] = parts.pop("decode + render") - parts["render"]
    parts["start (imports)"] = started
    parts["all else (read, frame, spool, event loop)"] = (
        whole - sum(_took.values()) + parts.get("render", 0.0)
    )
    for part, secs in sorted(parts.items(), key=lambda item: -item[1]):
        print(f"{secs * 1e6 / records:6.2f} us  {part}")
    print(f"{(whole + started) * 1e6 / records:6.2f} us  together")
    return code


if __name__ == "__main__":
    sys.exit(main())
