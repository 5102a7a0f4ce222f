"""Delays before a destination is tried again."""

from nss.sinks.backoff import Backoff


def test_delays_double_up_to_half_a_minute() -> None:
    backoff = Backoff(jitter=lambda: 0.0)
    assert [backoff.next_secs() for _ in range(9)] == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]


def test_jitter_shortens_a_delay_by_up_to_a_half() -> None:
    backoff = Backoff(jitter=lambda: 0.5)
    assert [backoff.next_secs() for _ in range(3)] == [0.1875, 0.375, 0.75]


def test_delays_are_short_again_after_a_success() -> None:
    backoff = Backoff(jitter=lambda: 0.0)
    backoff.next_secs()
    backoff.next_secs()
    backoff.reset()
    assert backoff.next_secs() == 0.25
