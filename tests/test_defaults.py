"""What tests replace is run once as it really is: each default of a seam, by name.

A seam is an argument (or a field) that can be called, or the environment, and has a default. The
list is compared with the code: a new seam fails until a test here, or one named here, runs it.
"""

import ast
import asyncio
import gzip
import os
import pwd
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from formats.lines import Lines
from nss.admin.portal.attempts import FIRST_WAIT_SECS, FREE_OF_ACCOUNT, Attempts
from nss.admin.portal.links import Links
from nss.admin.portal.sessions import Sessions
from nss.admin.systemd import Notifier
from nss.batch import Account, Batch
from nss.config.sinks import CloudDiscoverySinkConfig
from nss.connectivity.firewall import try_routes
from nss.feeds.tap import Seen, Tap
from nss.https.limiter import Limiter
from nss.sinks import Delivered, RetryAfter
from nss.sinks.backoff import FIRST_SECS, Backoff
from nss.sinks.cloud_discovery.age import MAX_AGE_DAYS, AgeLimit
from nss.sinks.cloud_discovery.collection import Collection
from nss.sinks.cloud_discovery.pieces import Stretch
from nss.sinks.syslog.pacing import Pace
from nss.spool import Reject, Spool
from nss.status.readings import ServiceReading, SpoolReading
from nss.status.watch import Watch
from nss.telemetry.audit import AuditLog, person_at_work
from tests.admin.test_systemd import Systemd
from tests.parts import durable_spool, file_sink, memory_spool, tcp_sink, udp_sink
from tests.sinks.conftest import Collector, TcpCollector

ROOT = Path(__file__).parent.parent

HERE = "tests/test_defaults.py"
HANDOVER = "tests/admin/portal/test_handover.py::test_who_was_signed_in_still_is_after_a_restart"
SYNC = (
    "tests/service/test_sync.py::test_the_first_run_comes_with_the_start_and_the_last_result_stays"
)
SYNC_WAITS = "tests/cli/sync/test_sync_unsanctioned.py::test_a_person_sees_what_is_waited_for"
PORTAL = f"{HERE}::test_sessions_links_and_attempts_know_the_time"
USERS = "tests/setup/test_portal_users.py::test_the_cost_is_that_of_the_standard_on_one_core"
KAFKA = "tests/sinks/kafka/test_sink.py::test_a_broker_that_is_away_is_told_of_soon"
ZIA_CLOCK = "tests/zia/test_patience.py::test_the_real_clock_and_chance"

RUN_BY = {
    "nss/admin/portal/attempts.py Attempts clock": PORTAL,
    "nss/admin/portal/attempts.py Lines clock": (
        "tests/admin/portal/test_signing_in.py::"
        "test_anything_else_does_not_and_all_refusals_are_alike"
    ),
    "nss/admin/portal/handover.py leave now": HANDOVER,
    "nss/admin/portal/handover.py take now": HANDOVER,
    "nss/admin/portal/live.py Live clock": (
        "tests/admin/portal/test_live.py::test_all_parts_come_first_and_then_what_has_changed"
    ),
    "nss/admin/portal/links.py Links clock": PORTAL,
    "nss/admin/portal/pages/feeds/replay.py Replay now": (
        "tests/admin/portal/feeds/test_replay.py::test_a_preset_reaches_back_from_now"
    ),
    "nss/admin/portal/pages/feeds/series.py SeriesData clock": (
        "tests/admin/portal/feeds/test_series.py::test_a_feed_has_rate_lag_and_pending"
    ),
    "nss/admin/portal/sessions.py Sessions clock": PORTAL,
    "nss/admin/portal/pages/audit_entries.py Watching clock": (
        "tests/admin/portal/audit/test_audit.py::test_live_pages_are_looked_at_by_the_clock"
    ),
    "nss/admin/portal/pages/integrations/drafts.py Drafts now": (
        "tests/admin/portal/integrations/test_mcas.py::"
        "test_a_secret_that_was_entered_is_kept_and_never_sent_back"
    ),
    "nss/admin/portal/pages/integrations/jobs.py Jobs now": (
        "tests/admin/portal/integrations/test_sync.py::test_sync_now_fills_the_category"
    ),
    "nss/admin/systemd.py Notifier environ": f"{HERE}::test_systemd_is_notified",
    "nss/admin/systemd.py Notifier clock": f"{HERE}::test_systemd_is_notified",
    "nss/connectivity/firewall.py try_routes now": (
        "tests/connectivity/test_firewall.py::"
        "test_a_proxy_that_refuses_is_told_and_its_password_is_not"
    ),
    "nss/feeds/feed.py Feed at": (
        "tests/feeds/test_feed.py::test_batches_are_rendered_and_sent_in_order"
    ),
    "nss/feeds/tap.py Tap clock": f"{HERE}::test_a_tap_counts_by_the_clock",
    "nss/files/private.py sync_folder fsync": (
        "tests/durability/test_order.py::test_the_folder_of_a_journal_is_made_once"
    ),
    "nss/files/set_aside.py set_aside rename": (
        "tests/telemetry/test_audit.py::test_a_full_file_is_set_aside_and_five_are_kept"
    ),
    "nss/https/limiter.py Limiter clock": f"{HERE}::test_a_limiter_waits",
    "nss/https/limiter.py Limiter sleep": f"{HERE}::test_a_limiter_waits",
    "nss/kafka/troubles.py Troubles clock": KAFKA,
    "nss/sinks/kafka/producing.py Producing clock": KAFKA,
    "nss/sinks/kafka/sink.py KafkaSink clock": KAFKA,
    "nss/sinks/kafka/sink.py KafkaSink jitter": KAFKA,
    "nss/mcas/entra.py SignIn now": (
        "tests/mcas/entra/test_token.py::test_a_refusal_does_not_wait_for_a_sign_in_under_way"
    ),
    "nss/mcas/parse_results.py ParseResults now": (
        "tests/mcas/test_connection_test.py::test_what_is_pending_is_called_that"
    ),
    "nss/mcas/parse_watch.py ParseWatch now": (
        "tests/mcas/test_parse_watch.py::test_the_clock_is_that_of_the_machine"
    ),
    "nss/service/service.py run at": (
        "tests/service/test_run.py::test_a_second_signal_ends_it_at_once"
    ),
    "nss/setup/portal_users.py PortalUsers environ": USERS,
    "nss/setup/portal_users.py PortalUsers now": USERS,
    "nss/setup/replacing.py Replacing at": (
        "tests/setup/test_replacing.py::"
        "test_a_change_is_written_taken_over_kept_and_in_the_audit_log"
    ),
    "nss/setup/replacing.py Replacing now": (
        "tests/setup/test_replacing.py::"
        "test_after_a_crash_while_it_is_put_back_the_old_file_is_there"
    ),
    "nss/sinks/backoff.py Backoff jitter": f"{HERE}::test_delays_are_spread",
    "nss/sinks/cloud_discovery/age.py AgeLimit now": f"{HERE}::test_lines_grow_old_by_the_clock",
    "nss/sinks/cloud_discovery/collection.py Collection clock": f"{HERE}::test_lines_are_collected",
    "nss/sinks/cloud_discovery/collection.py Collection new_file": (
        f"{HERE}::test_lines_are_collected"
    ),
    "nss/sinks/cloud_discovery/sink.py CloudDiscoverySink clock": (
        "tests/durability/test_order.py::"
        "test_an_upload_is_in_the_journal_on_the_disk_before_it_is_finalized"
    ),
    "nss/sinks/cloud_discovery/sink.py CloudDiscoverySink now": (
        "tests/durability/test_order.py::"
        "test_an_upload_is_in_the_journal_on_the_disk_before_it_is_finalized"
    ),
    "nss/sinks/file.py FileSink write": f"{HERE}::test_a_file_is_written_synced_and_set_aside",
    "nss/sinks/file.py FileSink rename": f"{HERE}::test_a_file_is_written_synced_and_set_aside",
    "nss/sinks/file.py FileSink fsync": f"{HERE}::test_a_file_is_written_synced_and_set_aside",
    "nss/sinks/syslog/pacing.py Pace clock": f"{HERE}::test_messages_are_paced",
    "nss/sinks/syslog/pacing.py Pace sleep": f"{HERE}::test_messages_are_paced",
    "nss/sinks/syslog/sink.py Environment resolve": f"{HERE}::test_syslog_goes_to_a_name",
    "nss/sinks/syslog/sink.py Environment clock": f"{HERE}::test_syslog_goes_to_a_name",
    "nss/sinks/syslog/sink.py Environment now": f"{HERE}::test_syslog_goes_to_a_name",
    "nss/sinks/syslog/sink.py Environment jitter": f"{HERE}::test_lines_come_again_after_a_while",
    "nss/sinks/syslog/tcp.py SyslogTcpSink environment": f"{HERE}::test_syslog_goes_to_a_name",
    "nss/sinks/syslog/udp.py SyslogUdpSink environment": f"{HERE}::test_syslog_goes_to_a_name",
    "nss/sources/http/batching.py Turn clock": (
        "tests/sources/http/test_source.py::test_a_body_is_cut_into_batches_in_order"
    ),
    "nss/sources/http/condition.py Condition clock": (
        "tests/sources/http/test_source.py::test_a_spool_that_takes_too_long_is_told"
    ),
    "nss/https/clock.py ServerDates now": (
        "tests/breakages/test_clock.py::test_a_clock_that_is_wrong"
    ),
    "nss/sources/kafka/standing.py Standing clock": (
        "tests/sources/kafka/test_standing.py::test_the_clock_is_that_of_the_machine"
    ),
    "nss/sources/refusals.py Refusals now": "tests/breakages/test_sources.py::test_a_wrong_token",
    "nss/spool/durable/spool.py open now": f"{HERE}::test_a_spool_knows_the_time",
    "nss/spool/durable/spool.py open free_bytes": f"{HERE}::test_a_spool_asks_for_free_space",
    "nss/sources/watching.py MessageTap clock": (
        "tests/integration/test_kafka_source.py"
        "::test_messages_are_shown_with_their_keys_also_after_a_reload"
    ),
    "nss/spool/durable/spool.py open at": f"{HERE}::test_a_spool_knows_the_time",
    "nss/spool/memory.py MemorySpool now": f"{HERE}::test_a_spool_knows_the_time",
    "nss/status/watch.py Watch clock": f"{HERE}::test_a_status_knows_the_time",
    "nss/status/watch.py Watch now": f"{HERE}::test_a_status_knows_the_time",
    "nss/sync/run.py Clocks monotonic": SYNC_WAITS,
    "nss/sync/run.py Clocks now": SYNC_WAITS,
    "nss/sync/run.py Clocks sleep": SYNC_WAITS,
    "nss/sync/schedule.py Schedule early": SYNC,
    "nss/sync/schedule.py Schedule now": SYNC,
    "nss/sync/schedule.py Schedule sleep": SYNC,
    "nss/sync/targets/file.py FileTarget at": SYNC_WAITS,
    "nss/sync/targets/file.py FileTarget now": SYNC_WAITS,
    "nss/sync/targets/zia.py ZiaTarget at": SYNC,
    "nss/telemetry/audit.py AuditLog environ": f"{HERE}::test_the_audit_log_knows_who_and_when",
    "nss/telemetry/audit.py AuditLog now": f"{HERE}::test_the_audit_log_knows_who_and_when",
    "nss/telemetry/audit.py person_at_work environ": (
        f"{HERE}::test_the_audit_log_knows_who_and_when"
    ),
    "nss/zia/patience.py Patience chance": ZIA_CLOCK,
    "nss/zia/patience.py Patience clock": ZIA_CLOCK,
    "nss/zia/patience.py Patience sleep": ZIA_CLOCK,
    "nss/zia/signing_in.py LegacySession now": "tests/zia/test_signing_in.py::test_the_real_clock",
    "nss/zia/signing_in.py OneApi now": "tests/zia/test_signing_in.py::test_the_real_clock",
}
"""Every seam, and the test that runs its default."""

TYPES = ("Callable[", "At", "Resolve", "Rename", "Environment", "Mapping[str, str]")


def seams() -> Iterator[str]:
    """Yield the seams of what is shipped; stand-ins and declarations of settings have none."""
    for path in sorted((ROOT / "nss").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if name.startswith(("nss/lab/", "nss/config/")):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield from (f"{name} {node.name} {field}" for field in _fields(node))
                for inner in node.body:
                    if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
                        yield from (f"{name} {node.name} {word}" for word in _arguments(inner))
            elif (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name != "__init__"
            ):
                yield from (f"{name} {node.name} {word}" for word in _arguments(node))


def _fields(node: ast.ClassDef) -> list[str]:
    return [
        ast.unparse(inner.target)
        for inner in node.body
        if isinstance(inner, ast.AnnAssign)
        and inner.value is not None
        and ast.unparse(inner.annotation).startswith(TYPES)
        and not (isinstance(inner.value, ast.Call))
    ]


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    with_default = plain[len(plain) - len(arguments.defaults) :]
    with_default += [
        argument
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is not None
    ]
    return [
        argument.arg
        for argument in with_default
        if argument.annotation is not None
        and ast.unparse(argument.annotation).startswith(TYPES)
        and not ast.unparse(argument.annotation).endswith("None")
    ]


def test_each_seam_is_run_with_its_default_by_a_test_that_there_is() -> None:
    assert sorted(seams()) == sorted(RUN_BY)
    for test in set(RUN_BY.values()):
        path, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), test


def test_systemd_is_notified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Systemd(f"@nss-defaults-{os.getpid()}")
    for key, value in systemd.environ.items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path)
    before = time.monotonic()
    notify = Notifier()
    notify.reloading()
    notify.close()
    head, _, usec = systemd.heard().partition("=1\nMONOTONIC_USEC=")
    systemd.close()
    assert head == "RELOADING"
    assert before - 1e-6 <= int(usec) / 1e6 <= time.monotonic()


async def test_no_route_is_no_trial() -> None:
    assert await try_routes((), 1) == []


async def test_a_tap_counts_by_the_clock() -> None:
    tap = Tap(max_per_sec=1)
    for line in (b"one", b"two"):
        tap.show("mcas", line + b"\n", [line])
    assert tap.left_out == 1
    while tap.left_out:  # until a second has earned another line
        tap.left_out = 0
        await asyncio.sleep(0.01)
        tap.show("mcas", b"three\n", [b"three"])
    tap.close()
    assert [sample async for sample in tap] == [
        Seen("mcas", b"one", 3, 0),
        Seen("mcas", b"three", 5, 0),
    ]


async def test_a_limiter_waits() -> None:
    limiter = Limiter(1000)
    before = time.monotonic()
    limiter.hold(0.05)
    await limiter.turn()
    assert time.monotonic() - before >= 0.05


def test_delays_are_spread() -> None:
    delays = [Backoff().next_secs() for _ in range(50)]
    assert all(FIRST_SECS / 2 < delay <= FIRST_SECS for delay in delays)
    assert len(set(delays)) > 1


def test_lines_grow_old_by_the_clock() -> None:
    now = datetime.now(UTC)
    days = (0, MAX_AGE_DAYS - 1, MAX_AGE_DAYS + 1)
    lines = [f"x\tdevTime={now - timedelta(day):%b %d %Y %H:%M:%S} GMT".encode() for day in days]
    assert AgeLimit().within(Lines.of(lines)) == 2


def test_lines_are_collected(tmp_path: Path) -> None:
    collection = Collection(tmp_path, CloudDiscoverySinkConfig(max_secs=1000.0))
    collection.add(Stretch((1, 1.0), 0, Lines.of([b"one", b"two"])))
    file, size_bytes = collection.packed(gzipped=False)
    due_secs = collection.due_secs()
    try:
        assert os.fstat(file.fileno()).st_size == size_bytes == 8  # nothing waits in a buffer
        assert list(tmp_path.iterdir()) == []
        assert due_secs is not None
        assert 0 < due_secs <= 1000
        packed, packed_bytes = collection.packed(gzipped=True)
        packed.seek(0)
        assert gzip.decompress(packed.read(packed_bytes)) == b"one\ntwo\n"
    finally:
        collection.close()


async def test_a_file_is_written_synced_and_set_aside(tmp_path: Path) -> None:
    sink = file_sink(tmp_path / "web.log", sync=True, rotate_bytes=8)
    await sink.open()
    for line in (b"first", b"second"):
        assert await sink.send(Lines.of([line])) == Delivered()
    await sink.close()
    assert (tmp_path / "web.log.1").read_bytes() == b"first\n"
    assert (tmp_path / "web.log").read_bytes() == b"second\n"


async def test_messages_are_paced() -> None:
    pace = Pace(200)
    before = time.monotonic()
    sent = 0
    while sent < 20:
        sent += await pace.turn(20 - sent)
    await pace.turn(1)
    assert time.monotonic() - before >= 0.9 * 20 / 200 - 0.01


@pytest.mark.parametrize("kind", ["udp", "tcp"])
async def test_syslog_goes_to_a_name(kind: str) -> None:
    collector = Collector() if kind == "udp" else TcpCollector()
    make = udp_sink if kind == "udp" else tcp_sink
    sink = make([("localhost", collector.address[1])], rfc5424=True, hostname="nss1")
    before = datetime.now(UTC).replace(tzinfo=None)
    await sink.open()
    outcome = await sink.send(Lines.of([b"line"]))
    (message,) = collector.received()
    collector.stop()
    await sink.close()

    head, stamp, host, rest = message.decode().split(" ", 3)
    assert outcome == Delivered()
    assert (head, host, rest) == ("<134>1", "nss1", "zscaler-nss - - - line")
    sent_at = datetime.fromisoformat(stamp.removesuffix("Z"))
    assert before - timedelta(milliseconds=1) <= sent_at <= datetime.now(UTC).replace(tzinfo=None)


async def test_lines_come_again_after_a_while() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    sink = tcp_sink([("localhost", port)])
    outcome = await sink.send(Lines.of([b"line"]))
    await sink.close()
    assert isinstance(outcome, RetryAfter)
    assert FIRST_SECS / 2 < outcome.delay_secs <= FIRST_SECS


@pytest.mark.parametrize("kind", ["memory", "durable"])
async def test_a_spool_knows_the_time(kind: str, tmp_path: Path) -> None:
    spool: Spool = memory_spool(1 << 20)
    if kind == "durable":
        spool = await durable_spool(tmp_path / "spool.db", min_free_bytes=0)
    cursor = await spool.cursor("mcas", ["web"])
    before = time.time()
    await spool.append(Batch("web", b"a\n", 1))
    entry = await cursor.next()
    await cursor.advance(1, Account(rejected=1), [Reject("web", "", "odd", b"a")])
    (kept,) = await spool.rejects()
    await spool.close()
    assert before <= entry.accepted_at <= kept.rejected_at <= time.time()


async def test_a_spool_asks_for_free_space(tmp_path: Path) -> None:
    full = await durable_spool(tmp_path / "full.db", min_free_bytes=1 << 60)
    roomy = await durable_spool(tmp_path / "roomy.db", min_free_bytes=1)
    await roomy.cursor("mcas", ["web"])
    await full.cursor("mcas", ["web"])
    waiting = asyncio.ensure_future(full.append(Batch("web", b"a\n", 1)))
    while full.last_error is None:  # noqa: ASYNC110 - nothing reports it
        await asyncio.sleep(0.01)
    assert "min_free_bytes" in full.last_error
    assert not waiting.done()
    waiting.cancel()
    assert await roomy.append(Batch("web", b"a\n", 1)) == 1
    await full.close()
    await roomy.close()


def test_a_status_knows_the_time() -> None:
    before = time.time()
    spool = SpoolReading(
        durable=False, used_bytes=0, max_bytes=1, full=True, last_error=None, kept_rejects=0
    )
    watch = Watch("nss.toml")
    first = watch.status(ServiceReading((), (), spool))
    time.sleep(0.02)
    second = watch.status(ServiceReading((), (), spool))
    assert before <= first.started_at <= first.at <= second.at <= time.time()
    assert first.spool.full_secs == 0
    assert second.spool.full_secs >= 0.02


def test_sessions_links_and_attempts_know_the_time() -> None:
    sessions, links, attempts = Sessions(0.02, 60), Links(), Attempts()
    token, _ = sessions.begin("alice", "admin")
    link = links.new("admin")
    for _ in range(FREE_OF_ACCOUNT):
        assert attempts.check("10.0.0.1", "alice") == 0
    assert FIRST_WAIT_SECS / 2 < attempts.check("10.0.0.1", "alice") <= FIRST_WAIT_SECS
    assert links.is_good(link)
    time.sleep(0.03)
    assert sessions.find(token) is None


def test_the_audit_log_knows_who_and_when(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "alice")
    before = datetime.now(UTC).replace(microsecond=0)
    AuditLog(tmp_path / "audit.log").write("test", "done")
    entry = orjson.loads((tmp_path / "audit.log").read_bytes())
    me = pwd.getpwuid(os.getuid()).pw_name
    assert entry["who"] == person_at_work() == ("alice" if os.geteuid() == 0 else me)
    assert before <= datetime.fromisoformat(entry["at"]) <= datetime.now(UTC)
