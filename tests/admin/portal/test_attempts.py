"""How long the next attempt to sign in has to wait."""

import pytest

from nss.admin.portal.attempts import (
    FORGET_SECS,
    FREE_LINES,
    FREE_OF_ACCOUNT,
    FREE_OF_ADDRESS,
    LINE_SECS,
    MAX_WAIT_SECS,
    Attempts,
    Lines,
)

HERE = "10.0.0.1"


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attempts(clock: Clock) -> Attempts:
    return Attempts(clock=clock, max_kept=50)


def fail(attempts: Attempts, address: str, account: str) -> float:
    """Try once; returns how long that would have had to wait."""
    wait = attempts.check(address, account)
    if not wait:
        attempts.failed(address, account)
    return wait


def test_some_are_free_and_then_the_wait_doubles(attempts: Attempts, clock: Clock) -> None:
    assert [fail(attempts, HERE, "alice") for _ in range(FREE_OF_ACCOUNT)] == [0] * FREE_OF_ACCOUNT
    waits = []
    for _ in range(12):
        waits.append(fail(attempts, HERE, "alice"))
        clock.now += waits[-1]
        assert fail(attempts, HERE, "alice") == 0
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, *[MAX_WAIT_SECS] * 3]


def test_what_is_tried_while_it_has_to_wait_makes_it_no_longer(
    attempts: Attempts, clock: Clock
) -> None:
    for _ in range(FREE_OF_ACCOUNT):
        fail(attempts, HERE, "alice")
    for _ in range(100):
        assert fail(attempts, HERE, "alice") == 2
    clock.now += 1.5
    assert fail(attempts, HERE, "alice") == 0.5


def test_many_at_the_same_time_gain_nothing(attempts: Attempts) -> None:
    begun = [attempts.check(HERE, "alice") for _ in range(100)]
    assert begun.count(0) == FREE_OF_ACCOUNT


def test_an_attack_on_an_account_from_many_addresses_slows_that_account(
    attempts: Attempts,
) -> None:
    waits = [fail(attempts, f"10.0.1.{number}", "alice") for number in range(20)]
    assert waits.count(0) == FREE_OF_ACCOUNT
    assert attempts.check("192.0.2.1", "alice") > 0
    assert attempts.check("192.0.2.1", "bob") == 0


def test_an_address_that_tries_many_accounts_is_slowed_at_all_of_them(attempts: Attempts) -> None:
    waits = [fail(attempts, HERE, f"user{number}") for number in range(20)]
    assert waits.count(0) == FREE_OF_ADDRESS
    assert attempts.check(HERE, "somebody else") > 0
    assert attempts.check("10.0.0.2", "somebody else") == 0


def test_of_ipv6_a_64_counts_as_one_address(attempts: Attempts) -> None:
    waits = [fail(attempts, f"2001:db8::{number:x}", f"user{number}") for number in range(20)]
    assert waits.count(0) == FREE_OF_ADDRESS
    assert attempts.check("2001:db8::ffff:1", "x") > 0
    assert attempts.check("2001:db8:0:1::1", "x") == 0
    assert attempts.check("::ffff:10.0.0.1", "y") == 0


def test_an_account_is_one_however_it_is_written(attempts: Attempts) -> None:
    for name in ("alice", "Alice", "ALICE", "aLICE", "alicE"):
        fail(attempts, HERE, name)
    assert attempts.check(HERE, "alice") > 0


def test_who_signs_in_starts_anew_and_his_address_keeps_the_rest(
    attempts: Attempts, clock: Clock
) -> None:
    for number in range(FREE_OF_ADDRESS - 1):
        fail(attempts, HERE, f"user{number}")
    for _ in range(5):
        assert attempts.check(HERE, "alice") == 0
        attempts.passed(HERE, "alice")
    assert fail(attempts, HERE, "alice") == 0
    assert attempts.check(HERE, "bob") == 2
    clock.now += 2
    assert attempts.check(HERE, "alice") == 0


def test_failures_are_forgotten_after_an_hour(attempts: Attempts, clock: Clock) -> None:
    for _ in range(FREE_OF_ACCOUNT):
        fail(attempts, HERE, "alice")
    clock.now += FORGET_SECS
    waits = [fail(attempts, HERE, "alice") for _ in range(FREE_OF_ACCOUNT + 1)]
    assert waits == [*[0] * FREE_OF_ACCOUNT, 2]


def test_memory_is_bounded_and_what_is_attacked_is_not_forgotten(attempts: Attempts) -> None:
    for number in range(1000):
        fail(attempts, f"10.1.{number >> 8}.{number & 255}", f"user{number}" + "x" * 10_000)
        fail(attempts, HERE, "alice")
    assert len(attempts) <= 100
    assert attempts.check("192.0.2.1", "alice") > 0


def test_nobody_needs_to_have_been_there_to_pass_or_fail(attempts: Attempts) -> None:
    attempts.passed(HERE, "alice")
    attempts.failed(HERE, "alice")
    assert len(attempts) == 0


def test_an_attempt_that_is_taken_back_never_was(attempts: Attempts) -> None:
    for _ in range(100):
        assert attempts.check(HERE, "alice") == 0
        attempts.take_back(HERE, "alice")
    assert len(attempts) == 0


def test_of_many_refusals_few_have_a_line_and_the_others_are_counted(clock: Clock) -> None:
    lines = Lines(clock=clock)
    assert [lines.next() for _ in range(FREE_LINES + 1)] == [*[0] * FREE_LINES, None]
    assert [lines.next() for _ in range(41)] == [None] * 41
    clock.now += LINE_SECS
    assert [lines.next() for _ in range(2)] == [42, None]
    clock.now += FREE_LINES * LINE_SECS * 10
    assert [lines.next() for _ in range(FREE_LINES + 1)] == [1, *[0] * (FREE_LINES - 1), None]
