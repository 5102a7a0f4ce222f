"""The ceiling: a bare loop of `send` over ready-made lines; prints what the loop alone took."""

import argparse
import json
import os
import socket
import time
from pathlib import Path


def main() -> None:
    """Read all lines, then send them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lines", type=Path)
    parser.add_argument("port", type=int)
    chosen = parser.parse_args()
    lines = chosen.lines.read_bytes().split(b"\n")[:-1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", chosen.port))
        send = sock.send
        started_ns, before = time.monotonic_ns(), os.times()
        for line in lines:
            send(line)
        after = os.times()
    cpu_secs = after.user + after.system - before.user - before.system
    print(json.dumps({"started_ns": started_ns, "cpu_secs": cpu_secs}))


if __name__ == "__main__":
    main()
