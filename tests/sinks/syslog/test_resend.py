"""What is kept of a connection, and what of it is owed to the next."""

from typing import TYPE_CHECKING

from nss.sinks.syslog.resend import Chunk, ResendBuffer

if TYPE_CHECKING:
    from tests.sinks.conftest import Clock


def kept_with(clock: "Clock", resend_secs: float = 0.0, max_bytes: int = 1000) -> ResendBuffer:
    """Return three chunks of 10 bytes and one line each, written a second apart."""
    kept = ResendBuffer(resend_secs, clock, max_bytes)
    for number in range(3):
        kept.written(Chunk(b"%d" % number * 10, 1), 10 * (number + 1))
        clock.secs += 1
    return kept


def owed(kept: ResendBuffer) -> list[bytes]:
    return [bytes(chunk.data[:1]) for chunk in kept.owed]


def test_only_what_was_confirmed_to_its_last_byte_is_not_owed(clock: "Clock") -> None:
    found = []
    for position in (0, 9, 10, 29, 30):
        kept = kept_with(clock)
        found.append((kept.ended(position), owed(kept), kept.unconfirmed_lines))
    assert found == [
        (0, [b"0", b"1", b"2"], 3),
        (0, [b"0", b"1", b"2"], 3),
        (0, [b"1", b"2"], 2),
        (0, [b"2"], 1),
        (0, [], 0),
    ]


def test_the_last_seconds_are_owed_though_confirmed(clock: "Clock") -> None:
    kept = kept_with(clock, resend_secs=2)
    assert (kept.ended(30), owed(kept), kept.unconfirmed_lines) == (0, [b"1", b"2"], 0)


def test_what_was_never_confirmed_is_owed_whatever_its_age_and_size(clock: "Clock") -> None:
    kept = kept_with(clock, resend_secs=2, max_bytes=5)
    clock.secs += 100
    assert (kept.ended(10), owed(kept)) == (0, [b"1", b"2"])


def test_confirmed_chunks_beyond_the_space_are_dropped_and_counted(clock: "Clock") -> None:
    kept = kept_with(clock, resend_secs=100, max_bytes=15)
    assert (kept.confirm(30), kept.ended(30), owed(kept)) == (2, 0, [b"2"])


def test_a_connection_closed_gracefully_owes_only_what_is_unconfirmed(clock: "Clock") -> None:
    kept = kept_with(clock, resend_secs=100)
    assert (kept.ended(20, graceful=True), owed(kept)) == (0, [b"2"])


def test_chunks_of_a_connection_lost_while_resending_come_before_the_rest(
    clock: "Clock",
) -> None:
    kept = kept_with(clock)
    kept.ended(0)
    kept.written(kept.owed.popleft(), 10)
    kept.ended(0)
    assert owed(kept) == [b"0", b"1", b"2"]


def test_there_is_nothing_to_send_again_once_it_is_old_enough(clock: "Clock") -> None:
    kept = kept_with(clock, resend_secs=10)
    kept.confirm(30)
    states = [bool(kept)]
    clock.secs += 20
    states.append(bool(kept))
    assert states == [True, False]


def test_what_just_fits_is_kept_on_each_connection(clock: "Clock") -> None:
    kept = kept_with(clock, resend_secs=100, max_bytes=30)
    assert (kept.confirm(30), kept.ended(30)) == (0, 0)
    kept.owed.clear()
    for number in range(3):
        kept.written(Chunk(b"%d" % number * 10, 1), 10 * (number + 1))
    assert (kept.confirm(30), kept.ended(30), owed(kept)) == (0, 0, [b"0", b"1", b"2"])


def test_a_chunk_on_the_edge_of_the_time_counts_as_dropped_for_lack_of_space(
    clock: "Clock",
) -> None:
    kept = kept_with(clock, resend_secs=3, max_bytes=20)
    assert kept.confirm(30) == 1
