"""The watch: rates, and how long something has lasted, from looks once a second."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import fields, replace
from typing import get_args

import pytest

from nss.batch import Account
from nss.config.model import FeedConfig
from nss.config.sinks import SinkConfig
from nss.config.sources import SourceConfig
from nss.expiry import DAY_SECS, Expiry
from nss.status.readings import ServiceReading, UploadReading
from nss.status.summary import ExpiryStatus, FeedStatus, SourceStatus, SpoolStatus, Status
from nss.status.sync_readings import BlockingReading, SyncReading
from nss.status.watch import CONFIRMATIONS, Watch
from tests.admin.conftest import NOW, OPENS, SYNC, Clock, FakeFeed, FakeSource, FakeSpool

Settings = tuple[SourceConfig, FeedConfig, FeedConfig]


class Watched:
    """A watch over one source and two feeds, with clocks that are moved by hand."""

    def __init__(self, settings: Settings) -> None:
        self.clock = Clock()
        self.now = Clock(NOW)
        self.source = FakeSource(settings[0], asyncio.create_task(asyncio.sleep(3600)))
        self.udp, self.tcp = FakeFeed(settings[1]), FakeFeed(settings[2])
        self.spool = FakeSpool()
        self.watch = Watch("/etc/nss/nss.toml", clock=self.clock, now=self.now)
        self.status()

    def wait(self, secs: int, records_per_sec: int = 0, *, delivered: bool = True) -> None:
        """Let time pass with a look every second."""
        for _ in range(secs):
            self.pause(1.0)
            self.source.counts.records += records_per_sec
            self.source.counts.data_bytes += records_per_sec * 100
            if records_per_sec:
                self.source.counts.last_at = self.now()
            self.udp.part.accept(records_per_sec)
            if delivered:
                self.udp.part.deliver(records_per_sec)
            self.status()

    def pause(self, secs: float) -> None:
        """Let time pass without a look."""
        self.clock.secs += secs
        self.now.secs += secs

    def status(self) -> Status:
        feeds = (self.udp.reading(), self.tcp.reading())
        return self.watch.status(
            ServiceReading((self.source.reading(),), feeds, self.spool.reading())
        )

    def blocking(self, found: BlockingReading) -> BlockingReading | None:
        """Return what is shown of a verdict now."""
        known = {each.name: getattr(SYNC, each.name) for each in fields(SyncReading)}
        sync = SyncReading(**known | {"blocking": found})
        shown = self.watch.status(ServiceReading((), (), self.spool.reading(), sync=sync)).sync
        return None if shown is None else shown.blocking

    @property
    def feed(self) -> FeedStatus:
        return self.status().feeds[0]


@pytest.fixture
async def watched(settings: Settings) -> AsyncIterator[Watched]:
    made = Watched(settings)
    yield made
    made.source.task.cancel()


async def test_a_status_says_everything(watched: Watched) -> None:
    watched.wait(20, records_per_sec=100)
    watched.udp.part.accept(5)
    watched.udp.part.cursor.lag_secs = 0.5
    watched.udp.part.cursor.account.shortened = 2
    watched.spool.used_bytes = 500
    watched.spool.kept_rejects = 4

    status = watched.status()

    assert (status.started_at, status.at, status.config) == (NOW, NOW + 20, "/etc/nss/nss.toml")
    assert (status.health.ok, status.health.reasons) == (True, ())
    assert status.sources == (
        SourceStatus(
            name="web",
            kind="stdin",
            state="reading",
            records=2000,
            data_bytes=200_000,
            records_per_sec=100.0,
            bytes_per_sec=10_000.0,
            last_at=NOW + 20,
            last_error=None,
            failing_secs=0.0,
        ),
    )
    assert status.feeds[0] == FeedStatus(
        name="mcas",
        kind="syslog_udp",
        destination="collector.example.com:514",
        state="moving",
        accepted=2005,
        delivered=2000,
        filtered=0,
        rejected=0,
        dropped=0,
        pending=5,
        shortened=2,
        records_per_sec=100.0,
        rejected_lately=0,
        processed_lately=2000,
        lag_secs=0.5,
        lag_growth_secs=0.5,
        still_secs=0.0,
        patience_secs=0.0,
        sending=False,
        last_error=None,
        failing_secs=0.0,
        confirmation="sent",
        last_delivered_at=NOW + 20,
    )
    assert (status.feeds[1].state, status.feeds[1].last_delivered_at) == ("idle", None)
    assert status.spool == SpoolStatus(
        durable=True,
        used_bytes=500,
        max_bytes=1000,
        full=False,
        full_secs=0.0,
        last_error=None,
        failing_secs=0.0,
        kept_rejects=4,
    )
    assert status.summary == "healthy: 100 records/s, 5 pending"


@pytest.mark.parametrize("blocked", [True, False])
async def test_a_verdict_that_nobody_has_looked_up_for_long_is_none(
    watched: Watched, *, blocked: bool
) -> None:
    found = replace(OPENS, at=NOW, blocked=blocked)
    watched.pause(SYNC.patience_secs - 1)
    assert watched.blocking(found) == found
    watched.pause(1.0)
    shown = watched.blocking(found)
    assert shown is not None
    assert (shown.blocked, shown.code, shown.at) == (None, None, NOW)
    assert shown.reason == "it was looked up 6 h ago, and not since"


async def test_the_last_delivery_is_when_the_account_last_grew(watched: Watched) -> None:
    watched.wait(3, records_per_sec=100)
    watched.wait(60)
    assert watched.feed.last_delivered_at == NOW + 3
    watched.udp.part.cursor.account.rejected += 5
    watched.wait(1)
    assert watched.feed.last_delivered_at == NOW + 3
    watched.udp.part.cursor.account.delivered = 0  # forgotten, and back as a new feed
    watched.wait(1)
    assert watched.feed.last_delivered_at == NOW + 3


@pytest.mark.parametrize(("handed_over", "last"), [(0, None), (7, NOW)])
async def test_what_earlier_processes_delivered_is_no_delivery_since_the_start(
    watched: Watched, handed_over: int, last: float | None
) -> None:
    watched.udp.part.cursor.account.delivered = 1000
    watched.udp.part.handed_over = handed_over
    watched.watch = Watch("x", clock=watched.clock, now=watched.now)
    assert watched.feed.last_delivered_at == last


async def test_an_upload_is_delivered_when_mcas_confirmed_it(watched: Watched) -> None:
    upload = UploadReading(
        state="collecting",
        last_confirmed_at=None,
        next_due_at=None,
        held_until=None,
        unconfirmed=1,
    )

    def shown(upload: UploadReading, delivered: int) -> tuple[str, float | None]:
        account = Account(delivered=delivered)
        reading = replace(watched.udp.reading(), kind="cloud_discovery", account=account)
        readings = (replace(reading, upload=upload),)
        feed = watched.watch.status(ServiceReading((), readings, watched.spool.reading())).feeds[0]
        return feed.confirmation, feed.last_delivered_at

    assert shown(upload, 5) == ("confirmed", None)
    assert shown(upload, 9) == ("confirmed", None)  # delivered, but not confirmed
    assert shown(replace(upload, last_confirmed_at=NOW - 5), 9) == ("confirmed", NOW - 5)
    assert shown(upload, 9) == ("confirmed", NOW - 5)  # the feed was built anew by a reload


def test_each_kind_of_sink_has_a_word_for_what_it_knows() -> None:
    assert set(CONFIRMATIONS) == {kind.kind for kind in get_args(SinkConfig)}


async def test_a_rate_is_that_of_the_last_ten_seconds(watched: Watched) -> None:
    watched.wait(30, records_per_sec=100)
    watched.wait(5, records_per_sec=300)
    assert watched.feed.records_per_sec == 200.0
    watched.wait(10)
    assert (watched.feed.records_per_sec, watched.feed.state) == (0.0, "idle")
    assert watched.status().sources[0].records_per_sec == 0.0


async def test_a_counter_that_starts_anew_makes_no_negative_rate(watched: Watched) -> None:
    watched.wait(10, records_per_sec=100)
    watched.source.counts.records = 7
    assert watched.status().sources[0].records_per_sec == 0.0
    watched.wait(5, records_per_sec=10)
    assert watched.status().sources[0].records_per_sec == 10.0


async def test_a_feed_is_stuck_within_a_minute_of_the_last_record_that_moved(
    watched: Watched,
) -> None:
    watched.wait(5, records_per_sec=100)
    watched.wait(44, records_per_sec=100, delivered=False)
    assert watched.status().health.ok
    watched.wait(3, records_per_sec=100, delivered=False)
    status = watched.status()
    assert (status.health.ok, status.health.alive) == (False, False)
    assert status.feeds[0].state == "stuck"
    assert status.health.reasons[0].since is not None
    assert NOW + 5 <= status.health.reasons[0].since <= NOW + 7
    watched.udp.part.deliver(1)
    assert (watched.status().health.ok, watched.feed.still_secs) == (True, 0.0)


async def test_a_feed_that_waited_for_nothing_is_not_stuck_when_records_come(
    watched: Watched,
) -> None:
    watched.wait(1, records_per_sec=10)
    watched.wait(600)
    watched.wait(1, records_per_sec=10, delivered=False)
    assert (watched.feed.still_secs, watched.status().health.ok) == (0.0, True)


async def test_lines_handed_over_inside_of_a_large_batch_are_movement(watched: Watched) -> None:
    watched.udp.part.accept(1000)
    for _ in range(100):
        watched.wait(1)
        watched.udp.part.handed_over += 1
    assert watched.feed.still_secs <= 1.0
    assert watched.status().health.ok


async def test_records_dropped_by_a_full_spool_are_no_movement(watched: Watched) -> None:
    watched.udp.part.accept(1000)
    for _ in range(60):
        watched.wait(1)
        watched.udp.part.cursor.account.dropped += 1
        watched.udp.part.cursor.pending_records -= 1
    assert watched.feed.state == "stuck"
    assert watched.feed.unaccounted == 0


async def test_a_process_that_was_paused_is_not_taken_for_one_that_hangs(
    watched: Watched,
) -> None:
    watched.udp.part.accept(10)
    watched.wait(10)
    watched.pause(3600.0)
    assert watched.feed.still_secs < 20
    assert watched.status().health.alive


async def test_a_wall_clock_that_steps_back_changes_no_duration(watched: Watched) -> None:
    watched.udp.part.last_error = "Connection refused"
    watched.wait(10)
    watched.now.secs -= 86_400
    watched.wait(10)
    assert watched.feed.failing_secs == 20.0
    assert watched.status().health.reasons[0].since == NOW - 86_400


async def test_errors_are_reported_with_how_long_they_have_lasted(watched: Watched) -> None:
    watched.source.part.last_error = "web.log: Permission denied"
    watched.spool.last_error = "No space left on device"
    watched.wait(7)
    status = watched.status()
    assert status.sources[0].state == "failing"
    assert (status.sources[0].failing_secs, status.spool.failing_secs) == (7.0, 7.0)
    watched.source.part.last_error = watched.spool.last_error = None
    assert watched.status().health.ok


async def test_how_long_the_spool_is_full_is_reported(watched: Watched) -> None:
    watched.spool.full = True
    watched.wait(3)
    assert watched.status().spool.full_secs == 3.0
    watched.spool.full = False
    assert watched.status().spool.full_secs == 0.0


async def test_rejects_count_for_a_minute(watched: Watched) -> None:
    watched.wait(5)
    watched.udp.part.cursor.account.rejected += 4
    watched.udp.part.accepted_records += 4
    assert watched.feed.rejected_lately == 4
    watched.wait(59)
    assert watched.feed.rejected_lately == 4
    watched.wait(3)
    assert watched.feed.rejected_lately == 0


async def test_a_lag_that_grows_as_fast_as_time_degrades(watched: Watched) -> None:
    for _ in range(100):
        watched.wait(1, records_per_sec=10)
        watched.udp.part.cursor.lag_secs += 0.6
    status = watched.status()
    assert status.feeds[0].lag_growth_secs == pytest.approx(36.0, abs=1)
    assert not status.health.ok


async def test_a_source_at_its_end_has_ended(watched: Watched) -> None:
    watched.source.task.cancel()
    await asyncio.wait([watched.source.task])
    assert watched.status().sources[0].state == "ended"


async def test_a_part_that_is_gone_is_forgotten(watched: Watched) -> None:
    watched.udp.part.accept(1)
    watched.udp.part.last_error = "Connection refused"
    watched.wait(30)
    watched.watch.status(ServiceReading((), (), watched.spool.reading()))
    assert watched.feed.failing_secs == 0.0


async def test_days_left_are_counted_by_the_clock_of_the_day(watched: Watched) -> None:
    ends_at = watched.now() + 5.5 * DAY_SECS
    expiry = Expiry(component="MCAS", credential="client_secret", ends_at=ends_at)
    reading = ServiceReading((), (), watched.spool.reading(), expiries=(expiry,))
    status = watched.watch.status(reading)
    assert status.expiries == (
        ExpiryStatus(component="MCAS", credential="client_secret", ends_at=ends_at, days=5),
    )
    assert not status.health.ok
    watched.now.secs += 6 * DAY_SECS
    assert watched.watch.status(reading).expiries[0].days == -1
