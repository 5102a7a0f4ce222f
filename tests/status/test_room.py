"""What the health says of a spool without room, of its disk, and of feeds at their limits."""

from dataclasses import replace

import pytest

from nss.status.health import judge
from nss.status.readings import SpoolTrouble
from nss.status.summary import FeedStatus, Reason
from tests.admin.conftest import FEED, NOW, SOURCE, SPOOL

GIB = 1 << 30
FULL = replace(SPOOL, full=True, full_secs=120.0, used_bytes=8 * GIB, max_bytes=8 * GIB)
DEAD = replace(FEED, last_error="connection refused", pending_bytes=7 * GIB, lag_secs=7200.0)
LIMITED = replace(FEED, max_pending_bytes=GIB, pending_bytes=GIB, limited_since=NOW - 60)


def of_spool(*feeds: FeedStatus, spool: object = FULL) -> list[Reason]:
    """Return what is said of the spool."""
    reasons = judge([SOURCE], feeds, spool, NOW).reasons  # type: ignore[arg-type]  # a status
    return [reason for reason in reasons if reason.component == "spool"]


def test_a_full_spool_names_the_feed_that_has_most_of_it_pending() -> None:
    idle = replace(FEED, name="siem", pending_bytes=GIB // 10)
    assert of_spool(idle, DEAD) == [
        Reason(
            component="spool",
            why="full, 8.0 GiB, held up by feed mcas: 7.0 GiB, 10 records, the oldest for 2 h "
            "(connection refused)",
            since=NOW - 120,
            meaning="nothing accepted is lost; files are left where they are, TCP senders wait, "
            "and HTTP pushes get 503",
            remedy="see to feed mcas, or set max_pending_bytes and when_pending_full in "
            "[feeds.mcas], then: sudo nss reload",
        )
    ]


def test_it_names_each_feed_without_which_it_would_still_be_full() -> None:
    other = replace(DEAD, name="siem", pending_bytes=6 * GIB, last_error=None)
    (found,) = of_spool(other, DEAD)
    assert "held up by feeds mcas and siem: 7.0 GiB, " in found.why
    assert "; 6.0 GiB, 10 records, the oldest for 2 h (its destination takes records" in found.why
    assert "[feeds.mcas] and [feeds.siem]" in found.remedy


def test_a_spool_that_no_feed_holds_up_is_just_full() -> None:
    (found,) = of_spool(replace(FEED, pending=0, accepted=FEED.accepted - 10))
    assert (found.why, "max_bytes" in found.remedy) == ("full, 8.0 GiB", True)


@pytest.mark.parametrize(
    ("trouble", "remedy", "meaning"),
    [
        ("disk_full", "df -h /srv", "still delivered"),
        ("disk_fails", "journalctl -k -p err", "feeds deliver what the disk gives back"),
        ("folder_gone", "sudo install -d -o nss -g nss -m 0700 /srv", "if the service ended now"),
        ("files_lost", "ls -la /srv", "if the service ended now"),
        ("damaged", "sudo nss restart", "what is readable stays"),
        ("gave_up", "sudo nss restart", "what is readable stays"),
        (None, "nss check", "still delivered"),
    ],
)
def test_each_trouble_of_the_disk_has_its_remedy(
    trouble: SpoolTrouble | None, remedy: str, meaning: str
) -> None:
    broken = replace(SPOOL, last_error="broken", trouble=trouble, folder="/srv", failing_secs=5.0)
    (found,) = of_spool(FEED, spool=broken)
    assert (found.why, found.since, found.degrades) == ("broken", NOW - 5, True)
    assert remedy in found.remedy
    assert found.meaning.endswith(meaning)


@pytest.mark.parametrize("replay_secs", [3600.0, 0.0])
def test_a_feed_that_drops_says_how_many_and_what_can_be_sent_again(replay_secs: float) -> None:
    drops = replace(LIMITED, drops_oldest=True, limited_dropped=1234)
    spool = replace(SPOOL, replay_secs=replay_secs)
    (found,) = judge([SOURCE], [drops], spool, NOW).reasons
    again = "they are lost"
    if replay_secs:
        again = (
            "what came in the last 1 h can be sent again, once it delivers: sudo nss replay --feed "
            "mcas --since 60m"
        )
    assert found == Reason(
        component="feed mcas",
        why="drops its oldest records: as much is pending as it may have, 1.0 GiB "
        "(max_pending_bytes)",
        since=NOW - 60,
        meaning=f"1,234 records dropped, of this feed alone; {again}",
        remedy="see why it does not deliver, or raise max_pending_bytes in [feeds.mcas]",
    )


@pytest.mark.parametrize(
    ("durable", "secs", "degrades"), [(True, 1, True), (False, 44, False), (False, 45, True)]
)
def test_a_feed_whose_sources_wait_degrades_as_a_full_spool_does(
    durable: bool,  # noqa: FBT001 - a parameter of the test
    secs: int,
    degrades: bool,  # noqa: FBT001 - as above
) -> None:
    waits = replace(LIMITED, limited_since=NOW - secs)
    spool = replace(SPOOL, durable=durable)
    reasons = judge([SOURCE], [waits], spool, NOW).reasons
    (found,) = [reason for reason in reasons if reason.component == "feed mcas"]
    assert (found.why, found.degrades) == (
        "its sources wait: as much is pending as it may have, 1.0 GiB (max_pending_bytes)",
        degrades,
    )


def test_a_feed_with_room_below_its_limit_is_not_mentioned() -> None:
    assert judge([SOURCE], [replace(LIMITED, limited_since=None)], SPOOL, NOW).reasons == ()
