"""Lines between pages that nobody may read: a process that reads beyond them is killed.

`main` is for a process of its own; it prints how many calls were made.
"""

import random
import socket
from array import array
from itertools import accumulate

from formats.lines import Lines
from nss.sinks.cloud_discovery.age import compiled_next_stated, next_stated
from nss.sinks.syslog.wire import COMPILED, PYTHON
from tests.formats.compiled.guarded import Guarded

ROUNDS = 400


def main() -> None:
    """Send, frame and search lines at both edges, each against the same lines elsewhere."""
    assert COMPILED is not None
    assert compiled_next_stated is not None
    chance = random.Random(7)
    guarded, calls = Guarded(), 0
    receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with receiver, sender:
        for _ in range(ROUNDS):
            sizes = [chance.choice((0, 1, 15, 16, 17, 300)) for _ in range(chance.randrange(1, 9))]
            texts = [
                bytes(chance.choices(b"ab=\t\n\r\0", (9, 9, 9, 1, 1, 1, 1), k=n)) for n in sizes
            ]
            ends = memoryview(array("q", accumulate(n + 1 for n in sizes)))
            elsewhere = Lines.of(texts)
            for view in guarded.places(b"\n".join((*texts, b""))):
                lines = Lines(view, ends)
                for header in (b"", b"<134>"):
                    sent = COMPILED.send_run(lines, header, [sender.fileno()], None)
                    assert sent == (len(texts), 0)
                    assert [receiver.recv(400) for _ in texts] == [header + text for text in texts]
                    for counted in (False, True):
                        framed = COMPILED.framed(lines, header, counted)
                        assert framed == PYTHON.framed(elsewhere, header, counted)
                for counted in (False, True):
                    found = COMPILED.fault_in(lines, counted)
                    assert found == PYTHON.fault_in(elsewhere, counted)
                for tag in (b"a", b"\ta=", b"=" * 20):
                    stated = compiled_next_stated(lines, 0, tag, b"b")
                    assert stated == next_stated(elsewhere, 0, tag, b"b")
                calls += 11
    print(calls)  # noqa: T201 - to who started it
