"""Counts datagrams on loopback until all records are in; run as a script, one process a case.

Prints one JSON line with its port and buffer, and one with the result when all is in, when nothing
came for `--idle-secs`, when nothing came at all within `--start-secs`, or on SIGINT. A datagram
counts once per record id, so that what arrives twice can't hide what never came; with `--copies`,
all ids must have come, and so many datagrams for each.
"""

import argparse
import contextlib
import socket
import time

import orjson

_SO_RCVBUFFORCE = 33  # asm-generic/socket.h; above net.core.rmem_max, root only
_KEEP_EVERY = 499
_MARK = b"\trecordid="
_ID_DIGITS = 19


def receive(
    sock: socket.socket, records: int, copies: int, start_secs: float, idle_secs: float
) -> bytes:
    """Receive until done and return the result as JSON."""
    seen: set[bytes] = set()
    kept: list[bytes] = []
    first_ns = last_ns = messages = received_bytes = 0
    wanted = records * copies
    buffer = bytearray(1 << 16)
    receive_into, clock, find = sock.recv_into, time.monotonic_ns, buffer.find
    _time_out(sock, start_secs)
    with contextlib.suppress(BlockingIOError, KeyboardInterrupt):
        while len(seen) < records or messages < wanted:
            size = receive_into(buffer)
            last_ns = clock()
            if not messages:
                first_ns = last_ns
                _time_out(sock, idle_secs)
            at = find(_MARK, 0, size) + len(_MARK)
            seen.add(bytes(buffer[at : at + _ID_DIGITS]))
            if not messages % _KEEP_EVERY:
                kept.append(bytes(buffer[:size]))
            messages += 1
            received_bytes += size
    return orjson.dumps(
        {
            "records": len(seen),
            "messages": messages,
            "bytes": received_bytes,
            "first_ns": first_ns,
            "last_ns": last_ns,
            "kept": [line.decode("utf-8", "replace") for line in kept],
        }
    )


def _time_out(sock: socket.socket, secs: float) -> None:
    """Let the kernel time out a blocking read; Python's own timeouts cost a poll per read."""
    whole, part = divmod(secs, 1)
    timeval = int(whole).to_bytes(8, "little") + int(part * 1e6).to_bytes(8, "little")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)


def main() -> None:
    """Listen, say where, receive, say what came."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--copies", type=int, default=1, help="how often each record comes")
    parser.add_argument("--start-secs", type=float, default=20)
    parser.add_argument("--idle-secs", type=float, default=5)
    parser.add_argument("--rcvbuf-bytes", type=int, default=512 << 20)
    chosen = parser.parse_args()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, chosen.rcvbuf_bytes)
        except OSError:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, chosen.rcvbuf_bytes)
        sock.bind(("127.0.0.1", 0))
        rcvbuf_bytes = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        ready = {"port": sock.getsockname()[1], "rcvbuf_bytes": rcvbuf_bytes}
        print(orjson.dumps(ready).decode(), flush=True)
        result = receive(sock, chosen.records, chosen.copies, chosen.start_secs, chosen.idle_secs)
        print(result.decode(), flush=True)


if __name__ == "__main__":
    main()
