"""What sends and frames lines does the same compiled and in Python, and what the kernel says."""

import errno
import gc
import random
import signal
import socket
import subprocess
import sys
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.lines import Lines
from nss.sinks.cloud_discovery.age import compiled_next_stated, next_stated
from nss.sinks.syslog.wire import COMPILED, PYTHON, Wire

needs_core = pytest.mark.skipif(COMPILED is None, reason="it was not built")
BOTH = [PYTHON, pytest.param(COMPILED, marks=needs_core)]

ROOT = Path(__file__).parents[3]
MODULE = "tests.sinks.guarded_lines"

TEXTS = st.lists(st.binary(max_size=40) | st.binary(max_size=3000), max_size=30)
BREAKING = st.lists(st.text("ab\n\r\0", max_size=9).map(str.encode), max_size=9)
HEADERS = st.sampled_from(
    [b"", b"<134>", b"<134>1 2026-11-26T10:00:00.000Z nss zscaler-nss - - - "]
)


class Paths:
    """Some connected sockets that never wait, and what they send to."""

    def __init__(self, count: int = 1, family: int = socket.AF_INET) -> None:
        host = "127.0.0.1" if family == socket.AF_INET else "::1"
        self.receiver = socket.socket(family, socket.SOCK_DGRAM)
        self.receiver.bind((host, 0))
        self.receiver.setblocking(False)  # noqa: FBT003 - the library's signature
        self.senders = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(count)]
        for sender in self.senders:
            sender.connect(self.receiver.getsockname())
            sender.setblocking(False)  # noqa: FBT003 - the library's signature
        self.ports = [sender.getsockname()[1] for sender in self.senders]
        self.descriptors = [sender.fileno() for sender in self.senders]

    def received(self) -> list[tuple[bytes, int]]:
        """Return each datagram, and the index of the socket that it came from."""
        found: list[tuple[bytes, int]] = []
        while True:
            try:
                data, address = self.receiver.recvfrom(70_000)
            except BlockingIOError:
                return found
            found.append((data, self.ports.index(address[1])))


@contextmanager
def paths(count: int = 1, family: int = socket.AF_INET) -> Iterator[Paths]:
    """Close them at the end."""
    made = Paths(count, family)
    with ExitStack() as stack:
        for each in (made.receiver, *made.senders):
            stack.enter_context(each)
        yield made


def part(texts: Sequence[bytes], first: int = 2) -> Lines:
    """Return lines in the middle of a buffer."""
    return Lines.of([b"not this"] * first + [*texts, b"nor\nthat"])[first : first + len(texts)]


@needs_core
@given(texts=TEXTS, header=HEADERS, count=st.integers(1, 4), seed=st.integers(0, 99))
@settings(max_examples=200, deadline=None)
def test_each_line_is_a_datagram_of_its_port(
    texts: list[bytes], header: bytes, count: int, seed: int
) -> None:
    assert COMPILED is not None
    ports = None if count == 1 else bytes(random.Random(seed).choices(range(count), k=len(texts)))
    expected = [(header + text, ports[at] if ports else 0) for at, text in enumerate(texts)]
    with paths(count) as made:
        for wire in (PYTHON, COMPILED):
            outcome = wire.send_run(part(texts), header, made.descriptors, ports)
            assert (outcome, made.received()) == ((len(texts), 0), expected)


@pytest.mark.parametrize("wire", BOTH)
@pytest.mark.parametrize("header", [b"", b"<13>"])
def test_a_datagram_has_at_most_what_ip_carries(wire: Wire, header: bytes) -> None:
    longest = 65_507 - len(header)
    for over in (1, 29, 70_000):
        texts = [b"", b"x" * longest, b"y" * (longest + over), b"after"]
        with paths() as made:
            outcome = wire.send_run(Lines.of(texts), header, made.descriptors, None)
            got = [data for data, _ in made.received()]
        assert outcome == (2, errno.EMSGSIZE)
        assert got == [header, header + texts[1]]


@pytest.mark.parametrize("wire", BOTH)
@pytest.mark.parametrize("header", [b"", b"<13>"])
def test_an_ipv6_datagram_may_be_a_little_longer(wire: Wire, header: bytes) -> None:
    longest = 65_527 - len(header)
    with paths(family=socket.AF_INET6) as made:
        lines = Lines.of([b"x" * longest, b"y" * (longest + 1)])
        outcome = wire.send_run(lines, header, made.descriptors, None)
        assert (outcome, made.received()) == (
            (1, errno.EMSGSIZE),
            [(header + b"x" * longest, 0)],
        )


@pytest.mark.parametrize("wire", BOTH)
@pytest.mark.parametrize("reports", [False, True])
@pytest.mark.parametrize("lines", [2, 3, 100, 1000])
def test_the_send_behind_a_refused_datagram_fails(wire: Wire, reports: bool, lines: int) -> None:  # noqa: FBT001 - a parameter
    with paths() as made:
        made.receiver.close()
        made.senders[0].setsockopt(socket.IPPROTO_IP, 11, reports)  # IP_RECVERR
        outcome = wire.send_run(Lines.of([b"x"] * lines), b"", made.descriptors, None)
        left = made.senders[0].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    assert (outcome, left) == ((1, errno.ECONNREFUSED), 0)


@pytest.mark.parametrize("wire", BOTH)
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("answers", [0, 10_000])
def test_a_refusal_is_noticed_though_answers_fill_the_socket(
    wire: Wire, family: int, answers: int
) -> None:
    level, option = {socket.AF_INET: (0, 11), socket.AF_INET6: (41, 25)}[
        socket.AddressFamily(family)
    ]
    with paths(family=family) as made:
        for _ in range(answers):
            made.receiver.sendto(b"x" * 100, made.senders[0].getsockname())
        made.receiver.close()
        made.senders[0].setsockopt(level, option, 1)  # IP_RECVERR
        outcome = wire.send_run(Lines.of([b"x"] * 1000), b"<1>", made.descriptors, None)
    assert outcome == (1, errno.ECONNREFUSED)


@pytest.mark.parametrize("wire", BOTH)
def test_a_refusal_of_before_concerns_no_line_of_the_run(wire: Wire) -> None:
    with paths() as made:
        made.receiver.close()
        made.senders[0].send(b"refused")
        outcome = wire.send_run(Lines.of([b"x"] * 5), b"", made.descriptors, None)
    assert outcome == (0, errno.ECONNREFUSED)


@pytest.mark.parametrize("wire", BOTH)
@pytest.mark.parametrize("header", [b"", b"<13>"])
def test_a_full_buffer_ends_the_run_between_two_datagrams(wire: Wire, header: bytes) -> None:
    texts = [b"%d" % number for number in range(2000)]
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    got: list[bytes] = []
    with sender, receiver:
        sender.setblocking(False)  # noqa: FBT003 - the library's signature
        while len(got) < len(texts):
            lines = Lines.of(texts[len(got) :])
            sent, error = wire.send_run(lines, header, [sender.fileno()], None)
            assert 0 < sent <= len(lines)
            assert error == (0 if sent == len(lines) else errno.EAGAIN)
            got += [receiver.recv(100).removeprefix(header) for _ in range(sent)]
    assert got == texts


@pytest.mark.parametrize("wire", BOTH)
def test_signals_lose_no_datagram(wire: Wire) -> None:
    signals = 0

    def count(*_: object) -> None:
        nonlocal signals
        signals += 1

    texts = [b"%d" % number + b"x" * 300 for number in range(50)]
    before = signal.signal(signal.SIGALRM, count)
    try:
        with paths() as made:
            signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
            while signals < 100:
                assert wire.send_run(Lines.of(texts), b"<1>", made.descriptors, None) == (50, 0)
                assert [data for data, _ in made.received()] == [b"<1>" + text for text in texts]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@needs_core
@given(texts=TEXTS, header=HEADERS, counted=st.booleans())
@settings(max_examples=300, deadline=None)
def test_frames_are_the_same(texts: list[bytes], header: bytes, counted: bool) -> None:  # noqa: FBT001 - a parameter
    assert COMPILED is not None
    lines = part(texts)
    assert COMPILED.framed(lines, header, counted) == PYTHON.framed(lines, header, counted)


@pytest.mark.parametrize("wire", BOTH)
def test_frames_have_the_count_of_the_whole_message(wire: Wire) -> None:
    lines = Lines.of([b"", b"x", b"y" * 9, b"z" * 95, b"w" * 100_000])
    assert wire.framed(lines, b"<1>", True) == (  # noqa: FBT003 - as compiled
        b"3 <1>4 <1>x12 <1>" + b"y" * 9 + b"98 <1>" + b"z" * 95 + b"100003 <1>" + b"w" * 100_000
    )
    assert wire.framed(lines[:3], b"<1>", False) == b"<1>\n<1>x\n<1>yyyyyyyyy\n"  # noqa: FBT003 - as compiled


@needs_core
@given(texts=BREAKING, counted=st.booleans())
@settings(max_examples=500, deadline=None)
def test_faults_are_found_in_the_same_line(texts: list[bytes], counted: bool) -> None:  # noqa: FBT001 - a parameter
    assert COMPILED is not None
    lines = part(texts)
    expected = [
        at for at, text in enumerate(texts) if (not text if counted else set(text) & set(b"\n\r\0"))
    ]
    for wire in (PYTHON, COMPILED):
        assert wire.fault_in(lines, counted) == (expected[0] if expected else -1)


@needs_core
@given(
    texts=st.lists(st.text("ab=\t\n", max_size=12).map(str.encode), max_size=9),
    tag=st.sampled_from([b"a", b"a=", b"\ta="]),
)
@settings(max_examples=500, deadline=None)
def test_the_same_values_are_found(texts: list[bytes], tag: bytes) -> None:
    assert compiled_next_stated is not None
    lines, number, stated = part(texts), 0, b""
    while number < len(lines):
        found = next_stated(lines, number, tag, stated)
        assert compiled_next_stated(lines, number, tag, stated) == found
        number, stated = found[0] + 1, found[1]


@needs_core
def test_what_is_no_line_is_refused() -> None:
    assert COMPILED is not None
    good = Lines.of([b"one", b"two"])

    def lines(*ends: int, first: int = 0, last: int | None = None, code: str = "q") -> Lines:
        return Lines(good.buffer, memoryview(array(code, ends)), first, last)

    bad = [lines(4, 9), lines(4, 4), lines(4, 3), lines(-1, 4), lines(0, 4), lines(4, 2**62)]
    bad += [lines(-9, 4, first=1), lines(4, 8, first=1, last=0), lines(4, 8, last=3)]
    bad += [lines(4, 8, first=-1), lines(4, 8, code="i"), lines(9, 12, first=1, last=1)]
    for each in bad:
        with pytest.raises((ValueError, OverflowError)):
            COMPILED.framed(each, b"", False)  # noqa: FBT003 - as compiled
        with pytest.raises((ValueError, OverflowError)):
            COMPILED.send_run(each, b"", [0], None)
    for descriptors, ports in (([], None), ([0] * 65, None), ([0], b"\0"), ([0], b"\0\1")):
        with pytest.raises(ValueError, match=r"descriptors|port"):
            COMPILED.send_run(good, b"", descriptors, ports)


@needs_core
def test_nothing_beyond_the_lines_is_read() -> None:
    # The folder comes last, so that an installed package is what runs.
    script = f"import sys; sys.path.append({str(ROOT)!r}); from {MODULE} import main; main()"
    ran = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert int(ran.stdout) > 5000


@needs_core
def test_calls_leave_nothing_behind() -> None:
    assert COMPILED is not None
    assert compiled_next_stated is not None
    lines = Lines.of([b"x" * 1000] * 100)
    bad = Lines(lines.buffer, lines.ends, 0, 101)

    def calls(made: Paths) -> int:
        for _ in range(200):
            COMPILED.send_run(lines, b"<1>", made.descriptors, bytes(100))
            COMPILED.framed(lines, b"<1>", True)  # noqa: FBT003 - as compiled
            COMPILED.fault_in(lines, False)  # noqa: FBT003 - as compiled
            compiled_next_stated(lines, 0, b"x", b"")
            with pytest.raises(ValueError, match="lines that there are not"):
                COMPILED.framed(bad, b"", False)  # noqa: FBT003 - as compiled
        gc.collect()
        return sys.getallocatedblocks()

    with paths() as made:
        counts = [calls(made) for _ in range(6)]
    assert counts[-1] - counts[2] < 100
    before = sys.getrefcount(lines.buffer)
    COMPILED.framed(lines, b"", True)  # noqa: FBT003 - as compiled
    after = sys.getrefcount(lines.buffer)
    assert after == before
