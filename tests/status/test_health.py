"""When the service is healthy: each rule, and what it says."""

from dataclasses import replace

import pytest

from nss.expiry import DAY_SECS, Expiry
from nss.status.health import judge
from nss.status.readings import (
    CommonRejectReading,
    ParsingReading,
    RefusalReading,
    UploadReading,
    UploadState,
)
from nss.status.remedies import REFUSED as REFUSED_CAUSES
from nss.status.summary import FeedStatus, Health, Reason, SourceStatus, SpoolStatus
from tests.admin.conftest import FEED, GAPS, NOW, PARSE_FAILURE, PARSING, SOURCE, SPOOL

WAITING = "10 records wait in the spool; 1 was dropped since the feed began"


def health(
    source: SourceStatus = SOURCE,
    feed: FeedStatus = FEED,
    spool: SpoolStatus = SPOOL,
    parsing: ParsingReading | None = None,
) -> Health:
    return judge([source], [feed], spool, NOW, parsing)


def test_a_service_that_moves_records_is_healthy() -> None:
    assert health() == Health(ok=True, alive=True)


def test_an_idle_source_is_fine() -> None:
    assert health(replace(SOURCE, state="idle", last_at=None)) == Health(ok=True, alive=True)


def test_a_failing_source_degrades_since_it_fails() -> None:
    failing = replace(SOURCE, last_error="web.log: Permission denied", failing_secs=12.0)

    assert health(failing) == Health(
        ok=False,
        alive=True,
        reasons=(
            Reason(
                component="source web",
                why="web.log: Permission denied",
                since=NOW - 12,
                meaning="what is accepted stays; senders must keep the rest and send it again",
                remedy="see what the senders do, and limits of [sources.web]: sudo nss check",
            ),
        ),
    )


def test_a_feed_that_moves_nothing_while_records_wait_is_stuck_within_a_minute() -> None:
    assert health(feed=replace(FEED, still_secs=44.9)).ok

    assert health(feed=replace(FEED, still_secs=45.0)) == Health(
        ok=False,
        alive=False,
        reasons=(
            Reason(
                component="feed mcas",
                why="records wait and none has moved",
                since=NOW - 45,
                meaning=WAITING,
                remedy="see what holds it up: sudo nss troubleshoot feeds",
            ),
        ),
    )


def test_what_records_lack_is_mentioned_with_what_to_do_and_degrades_nothing() -> None:
    """A source may be meant to be so, and nobody is to be called at night for what never was."""
    gap = replace(GAPS, unmapped={})

    assert health(feed=replace(FEED, gaps=(gap, replace(GAPS, missing=())))) == Health(
        ok=True,
        alive=True,
        reasons=(
            Reason(
                component="feed mcas",
                why="records of source web, read as json, lack an address (cip, cintip) and a user "
                "(login)",
                degrades=False,
                meaning="placeholders are printed instead",
                remedy="nss tap --feed mcas --records --limit 100 > sample, then nss explain "
                "sample --feed mcas",
            ),
        ),
    )


def test_a_dead_collector_degrades_and_is_no_reason_for_a_restart() -> None:
    dead = replace(FEED, still_secs=500.0, last_error="Connection refused", failing_secs=501.0)

    assert health(feed=dead) == Health(
        ok=False,
        alive=True,
        reasons=(
            Reason(
                component="feed mcas",
                why="Connection refused",
                since=NOW - 501,
                meaning=f"{WAITING}; what was sent before may be lost: UDP confirms nothing",
                remedy="see whether the collector is up and the way to it open: nss test-firewall",
            ),
        ),
    )


def test_a_feed_whose_destination_fails_says_when_it_is_tried_again() -> None:
    held = replace(FEED, last_error="upload held: slower", next_try_at=NOW + 600)
    (reason,) = health(feed=held).reasons
    assert (reason.why, reason.next_try_at) == (
        "upload held: slower",
        NOW + 600,
    )


@pytest.mark.parametrize(
    ("facts", "durable", "meaning"),
    [
        ({"pending": 1234}, True, "1,234 records wait in the spool; none is lost"),
        ({"pending": 1}, True, "1 record waits in the spool; none is lost"),
        ({"pending": 0}, True, "no record waits"),
        ({"pending": 2}, False, "2 records wait in memory; if the service ends, they are lost"),
        (
            {"pending": 2, "dropped": 30},
            True,
            "2 records wait in the spool; 30 were dropped since the feed began",
        ),
    ],
)
def test_what_it_means_for_records_is_never_better_than_it_is(
    facts: dict[str, int],
    durable: bool,  # noqa: FBT001 - a parameter of the test
    meaning: str,
) -> None:
    none = {"dropped": 0, "delivered": 0}
    feed = replace(FEED, kind="syslog_tcp", last_error="refused")
    feed = replace(feed, **(none | facts))  # type: ignore[arg-type]  # by name
    found = health(feed=feed, spool=replace(SPOOL, durable=durable))
    assert found.reasons[0].meaning == meaning

    udp = health(feed=replace(feed, kind="syslog_udp"), spool=replace(SPOOL, durable=durable))
    doubt = "; what was sent before may be lost: UDP confirms nothing"
    assert udp.reasons[0].meaning == meaning.removesuffix("; none is lost") + doubt


def test_a_sink_at_work_that_takes_long_is_no_reason_for_a_restart() -> None:
    slow = replace(FEED, still_secs=600.0, sending=True)

    assert (health(feed=slow).ok, health(feed=slow).alive) == (False, True)
    assert not health(feed=replace(slow, sending=False)).alive


def test_a_full_disk_is_no_reason_for_a_restart() -> None:
    full = "the disk of /srv/a spool is full: 1 B free"
    broken = replace(
        SPOOL, last_error=full, failing_secs=60.0, trouble="disk_full", folder="/srv/a spool"
    )

    assert health(feed=replace(FEED, still_secs=60.0), spool=broken) == Health(
        ok=False,
        alive=True,
        reasons=(
            Reason(
                component="feed mcas",
                why="records wait and none has moved",
                since=NOW - 60,
                meaning=WAITING,
                remedy="see what holds it up: sudo nss troubleshoot feeds",
            ),
            Reason(
                component="spool",
                why="the disk of /srv/a spool is full: 1 B free",
                since=NOW - 60,
                meaning="nothing new is accepted: files are left where they are, TCP senders wait, "
                "and HTTP pushes get 503; what was accepted is safe and still delivered",
                remedy="free space there, and it continues by itself: df -h '/srv/a spool'",
            ),
        ),
    )


@pytest.mark.parametrize(
    ("lag_secs", "growth_secs", "degraded"),
    [(59.0, 50.0, []), (600.0, 29.0, []), (600.0, -60.0, []), (60.0, 30.0, ["feed mcas"])],
)
def test_a_lag_degrades_only_while_it_is_large_and_grows(
    lag_secs: float, growth_secs: float, degraded: list[str]
) -> None:
    behind = replace(FEED, lag_secs=lag_secs, lag_growth_secs=growth_secs)

    assert [reason.component for reason in health(feed=behind).reasons] == degraded


def test_a_growing_lag_is_reported_with_its_numbers() -> None:
    behind = replace(FEED, lag_secs=600.0, lag_growth_secs=45.0, pending=12_000)
    behind = replace(behind, accepted=behind.accepted + 11_990)

    assert health(feed=behind).reasons == (
        Reason(
            component="feed mcas",
            why="falls behind: the oldest record waits for 600 s, 45 s longer than a minute ago",
            since=NOW - 600,
            meaning="12,000 records wait in the spool; 1 was dropped since the feed began",
            remedy="a faster destination, or a filter; see what is slow: sudo nss troubleshoot "
            "feeds",
        ),
    )


@pytest.mark.parametrize(
    ("state", "last_delivered_at", "still_secs", "degraded"),
    [
        # Records from before the start are collected anew, however long they have waited already.
        ("collecting", None, 200.0, []),
        ("uploading", None, 310.0, []),
        ("collecting", None, 345.0, ["feed mcas"]),
        ("collecting", NOW - 200.0, 200.0, ["feed mcas"]),
    ],
)
def test_what_is_collected_since_the_start_does_not_fall_behind(
    state: UploadState, last_delivered_at: float | None, still_secs: float, degraded: list[str]
) -> None:
    upload = UploadReading(
        state=state, last_confirmed_at=None, next_due_at=None, held_until=None, unconfirmed=0
    )
    feed = replace(FEED, patience_secs=300.0, lag_secs=457.0, lag_growth_secs=59.0, upload=upload)
    feed = replace(feed, last_delivered_at=last_delivered_at, still_secs=still_secs)

    assert [reason.component for reason in health(feed=feed).reasons] == degraded


@pytest.mark.parametrize(("accepted", "missing"), [(1235, "1 record"), (1230, "-4 records")])
def test_an_account_that_does_not_add_up_degrades(accepted: int, missing: str) -> None:
    assert health(feed=replace(FEED, accepted=accepted)) == Health(
        ok=False,
        alive=True,
        reasons=(
            Reason(
                component="feed mcas",
                why="the account does not add up",
                meaning=f"it is not known what became of {missing}",
                remedy="this is a fault of NSS; collect what helps to find it: sudo nss "
                "collect-diagnostics",
            ),
        ),
    )


@pytest.mark.parametrize(("rejected", "processed", "ok"), [(100, 100, False), (99, 99, True)])
def test_a_feed_that_rejects_all_of_many_degrades(
    rejected: int,
    processed: int,
    ok: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    common = CommonRejectReading(reason="not JSON", records=1234)
    feed = replace(FEED, rejected_lately=rejected, common_reject=common, rejecting_secs=30.0)
    found = health(feed=replace(feed, processed_lately=processed))
    assert found.ok is ok
    assert found.reasons[0].since == NOW - 30
    assert found.reasons[0].why == (
        f"{rejected} records rejected within a minute; the commonest reason, of 1,234 since the "
        "start: not JSON"
    )
    assert health(feed=replace(feed, processed_lately=processed + 1)).ok


def test_rejects_are_reported_and_do_not_degrade() -> None:
    assert health(feed=replace(FEED, rejected_lately=3, processed_lately=4)) == Health(
        ok=True,
        alive=True,
        reasons=(
            Reason(
                component="feed mcas",
                why="3 records rejected within a minute",
                since=NOW,
                degrades=False,
                meaning="they are not delivered; the newest are kept, and can be retried",
                remedy="see the records and reasons: nss rejects --feed mcas",
            ),
        ),
    )


def test_what_degrades_is_reported_first() -> None:
    noisy = replace(FEED, rejected_lately=1)

    reasons = [
        str(reason) for reason in health(feed=noisy, spool=replace(SPOOL, full=True)).reasons
    ]

    assert reasons == [
        (
            "spool: full, 4.0 KiB, held up by feed mcas: 0 B, 10 records, the oldest for 1 s (its "
            "destination takes records more slowly than they come)"
        ),
        "feed mcas: 1 record rejected within a minute",
    ]


def test_a_spool_in_memory_says_so_and_may_be_full_for_a_moment() -> None:
    memory = replace(SPOOL, durable=False, full=True, full_secs=44.0)
    not_durable = Reason(
        component="spool",
        why="in memory, not durable",
        degrades=False,
        meaning="what is pending is lost if the process ends",
        remedy='set kind = "durable" in [spool], unless losing what waits is fine',
    )

    assert health(spool=replace(memory, full=False)).reasons == (not_durable,)
    assert health(spool=memory).ok
    assert not health(spool=replace(memory, full_secs=45.0)).ok


def test_a_feed_that_collects_has_its_time_before_it_is_stuck_or_behind() -> None:
    collecting = replace(FEED, patience_secs=300.0)
    waiting = replace(collecting, still_secs=340.0, lag_secs=340.0, lag_growth_secs=60.0)
    assert health(feed=waiting).ok
    stuck = health(feed=replace(collecting, still_secs=345.0))
    behind = health(feed=replace(waiting, lag_secs=360.0))
    assert (stuck.ok, stuck.alive, behind.ok, behind.alive) == (False, False, False, True)


def test_advice_is_reported_and_degrades_nothing() -> None:
    advised = health(feed=replace(FEED, advice="renew it"))
    assert advised == Health(
        ok=True,
        alive=True,
        reasons=(
            Reason(
                component=f"feed {FEED.name}",
                why="renew it",
                degrades=False,
                meaning="records are delivered",
                remedy="see whether the collector is up and the way to it open: nss test-firewall",
            ),
        ),
    )


def test_advice_of_a_source_is_reported_and_degrades_nothing() -> None:
    advised = health(replace(SOURCE, advice="connections are refused. Try: fewer of them"))
    reason = Reason(
        component=f"source {SOURCE.name}",
        why="connections are refused",
        degrades=False,
        meaning="records of all others are accepted",
        remedy="fewer of them",
    )
    assert advised == Health(ok=True, alive=True, reasons=(reason,))


def test_a_file_that_cloud_discovery_could_not_use_degrades_with_a_remedy() -> None:
    assert health(parsing=PARSING) == Health(
        ok=False,
        alive=True,
        reasons=(
            Reason(
                component="feed up",
                why="Cloud Discovery could not use the file up-20260921T121320-5.log: Unsupported "
                "file type",
                since=NOW - 7200,
                meaning="its records count as delivered, and show nowhere in MCAS",
                remedy="set gzip = false for the sink",
            ),
        ),
    )
    nameless = replace(PARSE_FAILURE, file=None, feed=None)
    (reason,) = health(parsing=replace(PARSING, standing=(nameless,))).reasons
    assert str(reason).startswith(
        "data source NSS: Cloud Discovery could not use an uploaded file:"
    )


def test_a_failure_that_does_not_stand_any_more_is_no_reason() -> None:
    assert health(parsing=replace(PARSING, standing=())) == Health(ok=True, alive=True)


def test_results_that_can_not_be_read_are_reported_and_degrade_nothing() -> None:
    unread = replace(PARSING, standing=(), unreadable="MCAS does not permit it: HTTP 403")
    assert health(parsing=unread) == Health(
        ok=True,
        alive=True,
        reasons=(
            Reason(
                component="data source NSS",
                why="whether Cloud Discovery could use the uploads can't be read: MCAS does not "
                "permit it: HTTP 403",
                degrades=False,
                meaning="uploads continue",
                remedy="sudo nss verify-mcas2",
            ),
        ),
    )


@pytest.mark.parametrize(("number", "files"), [(1, "1 file "), (1200, "1,200 files ")])
def test_files_without_any_result_are_reported_and_degrade_nothing(number: int, files: str) -> None:
    found = health(parsing=replace(PARSING, standing=(), overdue=number))
    (reason,) = found.reasons
    assert (found.ok, reason.why[: len(files)]) == (True, files)
    assert "nss verify-mcas2" in reason.remedy


@pytest.mark.parametrize(
    ("days", "degrades"), [(30.1, None), (30, False), (7.1, False), (7, True), (-1, True)]
)
def test_what_ends_soon_is_mentioned_and_in_the_last_week_degrades(
    days: float,
    degrades: bool | None,  # noqa: FBT001 - a parameter of the test
) -> None:
    expiry = Expiry(component="MCAS", credential="client_secret", ends_at=NOW + days * DAY_SECS)
    found = judge([SOURCE], [FEED], SPOOL, NOW, expiries=[expiry])
    assert [reason.degrades for reason in found.reasons] == ([] if degrades is None else [degrades])
    assert (found.ok, found.alive) == (not degrades, True)
    for reason in found.reasons:
        assert (reason.component, reason.why) == ("MCAS", expiry.finding(NOW))
        assert (reason.meaning, reason.remedy) == (expiry.meaning(NOW), expiry.remedy)
        assert reason.since == (expiry.ends_at if days < 0 else None)


REFUSED = RefusalReading(
    cause="credentials",
    count=12,
    last_at=NOW - 5,
    last_peer="192.0.2.7",
    unbroken=3,
    unbroken_since=NOW - 60,
)


def refused(source: SourceStatus = SOURCE, **facts: object) -> Health:
    refusal = replace(REFUSED, **facts)  # type: ignore[arg-type]  # fields by name
    return health(replace(source, refusals=(refusal,)))


def test_senders_that_are_refused_are_mentioned_with_the_last_of_them() -> None:
    assert refused(unbroken=0, unbroken_since=None) == Health(
        ok=True,
        alive=True,
        reasons=(
            Reason(
                component="source web",
                why="a sender pushes without the token, or with a wrong one: 12 times since the "
                "start, the last from 192.0.2.7",
                degrades=False,
                meaning="no record of these requests is accepted; Cloud NSS repeats each for up to "
                "an hour",
                remedy="give the sender what is in the token file of [sources.web]",
            ),
        ),
    )
    assert refused(last_at=NOW - 3600).reasons == ()
    assert refused(cause="path").reasons == ()  # strangers do that all day


def test_a_source_that_refuses_all_that_comes_degrades() -> None:
    assert not refused().ok
    assert refused().reasons[0].since == NOW - 60
    assert refused(unbroken=2).ok
    assert refused(unbroken_since=NOW - 59).ok


NEVER = replace(SOURCE, last_at=None, records=0)
EMPTY = replace(FEED, accepted=0, delivered=0, filtered=0, rejected=0, dropped=0, pending=0)
ONE = replace(REFUSED, cause="framing", unbroken=1, unbroken_since=NOW)


def test_one_refusal_degrades_while_a_source_is_being_set_up() -> None:
    waiting = replace(NEVER, refusals=(ONE,))
    assert not health(waiting, EMPTY, replace(SPOOL, durable=True)).ok


def test_one_stranger_after_a_restart_degrades_nothing() -> None:
    waiting = replace(NEVER, refusals=(ONE,))
    assert health(waiting, FEED, replace(SPOOL, durable=True)).ok  # records came before
    assert health(waiting, EMPTY, replace(SPOOL, durable=False)).ok


@pytest.mark.parametrize("cause", ["framing", "client_certificate", "certificate"])
def test_what_every_stranger_is_refused_for_degrades_only_if_records_came_from_it(
    cause: str,
) -> None:
    assert refused(cause=cause, unbroken=300).ok
    assert refused(cause=cause, unbroken=300, unbroken_known=2).ok
    assert not refused(cause=cause, unbroken=300, unbroken_known=3).ok


@pytest.mark.parametrize("cause", REFUSED_CAUSES)
def test_each_refusal_that_is_mentioned_is_complete(cause: str) -> None:
    (reason,) = refused(cause=cause, count=1).reasons
    assert (bool(reason.meaning), "[sources.web]" in reason.remedy) == (True, True)
    assert ": once since the start" in reason.why
