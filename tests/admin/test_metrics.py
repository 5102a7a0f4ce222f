"""Metrics and health pages as Prometheus and a load balancer see them, and what is written of
them.
"""

import asyncio
import json
import re
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from nss.admin.metric_families import EVENTS, METRICS
from nss.admin.metrics import MetricsServer, _Process
from nss.config.values import Address
from nss.errors import ServiceError
from nss.status.readings import UploadReading
from nss.status.summary import ExpiryStatus, Health, SpoolStatus
from nss.telemetry import events
from nss.telemetry.counters import Counter
from tests.admin.conftest import (
    DEGRADED,
    FEED,
    GAPS,
    NOW,
    OPENS,
    PARSING,
    SOURCE,
    SPOOL,
    STATUS,
    SYNC,
    FakeOperations,
)

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "packaging" / "grafana" / "nss.json"
PAGE = ROOT / "docs" / "metrics.md"

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
async def server(operations: FakeOperations) -> AsyncIterator[MetricsServer]:
    made = MetricsServer(Address("127.0.0.1", 0), operations)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def http(server: MetricsServer) -> AsyncIterator[httpx.AsyncClient]:
    base = f"http://127.0.0.1:{server.bound_port}"
    async with httpx.AsyncClient(base_url=base, trust_env=False) as made:
        yield made


async def test_metrics_show_how_long_credentials_are_good(
    http: httpx.AsyncClient, operations: FakeOperations
) -> None:
    secret = ExpiryStatus(component="MCAS", credential="client_secret", ends_at=NOW + 9e5, days=10)
    other = replace(secret, component="feed siem", credential="collector", place="a:1", days=-1)
    operations.current = replace(STATUS, expiries=(secret, other))
    found = parsed((await http.get("/metrics")).text)
    of_mcas = (("component", "MCAS"), ("credential", "client_secret"), ("place", ""))
    of_siem = (("component", "feed siem"), ("credential", "collector"), ("place", "a:1"))
    assert found["nss_credential_expires_timestamp_seconds", of_mcas] == NOW + 9e5
    assert found["nss_credential_days_left", of_mcas] == 10
    assert found["nss_credential_days_left", of_siem] == -1


async def test_metrics_show_the_whole_status(
    http: httpx.AsyncClient, operations: FakeOperations
) -> None:
    events.count(Counter.SINK_FAILURES, "mcas", 3)
    operations.current = replace(STATUS, feeds=(FEED,))

    answer = await http.get("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    source, feed = ("source", "web"), ("feed", "mcas")
    assert {key: value for key, value in parsed(answer.text).items() if key[0][:3] == "nss"} == {
        ("nss_build_info", (("version", "1.2.3"),)): 1.0,
        ("nss_start_time_seconds", ()): NOW - 3700,
        ("nss_health", ()): 1.0,
        ("nss_alive", ()): 1.0,
        ("nss_source_records_total", (source,)): 1234.0,
        ("nss_source_bytes_total", (source,)): 2048.0,
        ("nss_source_last_record_timestamp_seconds", (source,)): NOW - 5,
        ("nss_source_failing", (source,)): 0.0,
        ("nss_feed_accepted_records_total", (feed,)): 1234.0,
        ("nss_feed_records_total", (feed, ("outcome", "delivered"))): 1200.0,
        ("nss_feed_records_total", (feed, ("outcome", "filtered"))): 20.0,
        ("nss_feed_records_total", (feed, ("outcome", "rejected"))): 3.0,
        ("nss_feed_records_total", (feed, ("outcome", "dropped"))): 1.0,
        ("nss_feed_shortened_records_total", (feed,)): 2.0,
        ("nss_feed_pending_records", (feed,)): 10.0,
        ("nss_feed_pending_bytes", (feed,)): 0.0,
        ("nss_feed_limited", (feed,)): 0.0,
        ("nss_feed_lag_seconds", (feed,)): 1.5,
        ("nss_feed_still_seconds", (feed,)): 0.0,
        ("nss_feed_failing", (feed,)): 0.0,
        ("nss_feed_last_delivered_timestamp_seconds", (feed,)): NOW - 3,
        ("nss_spool_used_bytes", ()): 1024.0,
        ("nss_spool_max_bytes", ()): 4096.0,
        ("nss_spool_full", ()): 0.0,
        ("nss_spool_failing", ()): 0.0,
        ("nss_spool_durable", ()): 1.0,
        ("nss_rejects_kept", ()): 3.0,
        ("nss_events_total", (("component", "mcas"), ("event", "sink_failures"))): 3.0,
    }


async def test_metrics_show_what_a_feed_can_not_use_and_lacks(
    http: httpx.AsyncClient, operations: FakeOperations
) -> None:
    keys = {"colour": 5, 'a"b\\c{}=,': 1, "%0A": 2, "\u202ex": 3, "...": 4}
    feed = replace(FEED, gaps=(replace(GAPS, unmapped=keys),))
    operations.current = replace(STATUS, feeds=(feed,))

    found = parsed((await http.get("/metrics")).text)

    where = {"feed": "mcas", "source": "web", "format": "json"}
    for key, records in keys.items():
        labels = tuple(sorted({**where, "key": key}.items()))
        assert found["nss_feed_unmapped_keys_total", labels] == records
    assert found["nss_feed_missing_fields", tuple(sorted(where.items()))] == 2


async def test_metrics_show_trouble(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    operations.current = replace(
        STATUS,
        health=Health(ok=False, alive=False),
        sources=(replace(SOURCE, last_error="gone", last_at=None),),
        feeds=(replace(FEED, last_error="refused", still_secs=50.0, last_delivered_at=None),),
        spool=replace(SPOOL, last_error="No space left", full=True, durable=False),
    )

    scraped = parsed((await http.get("/metrics")).text)

    assert ("nss_source_last_record_timestamp_seconds", (("source", "web"),)) not in scraped
    assert ("nss_feed_last_delivered_timestamp_seconds", (("feed", "mcas"),)) not in scraped
    assert {
        name: value
        for (name, _), value in scraped.items()
        if name.endswith(("_health", "_alive", "_failing", "_full", "_durable", "_still_seconds"))
    } == {
        "nss_health": 0.0,
        "nss_alive": 0.0,
        "nss_source_failing": 1.0,
        "nss_feed_failing": 1.0,
        "nss_feed_still_seconds": 50.0,
        "nss_spool_failing": 1.0,
        "nss_spool_full": 1.0,
        "nss_spool_durable": 0.0,
    }


@pytest.mark.parametrize(("blocked", "number"), [(True, 1.0), (False, 0.0), (None, None)])
async def test_metrics_show_whether_zia_blocks(
    http: httpx.AsyncClient,
    operations: FakeOperations,
    *,
    blocked: bool | None,
    number: float | None,
) -> None:
    found = replace(OPENS, blocked=blocked)
    operations.current = replace(STATUS, sync=replace(SYNC, blocking=found))
    assert parsed((await http.get("/metrics")).text).get(("nss_sync_blocked", ())) == number
    operations.current = replace(STATUS, sync=SYNC)
    assert ("nss_sync_blocked", ()) not in parsed((await http.get("/metrics")).text)


UPLOAD = UploadReading(
    state="collecting",
    last_confirmed_at=NOW - 60,
    next_due_at=NOW + 120,
    held_until=None,
    unconfirmed=0,
)


@pytest.mark.parametrize(
    ("upload", "shown"),
    [
        (
            UPLOAD,
            {
                "last_confirmed_timestamp_seconds": NOW - 60,
                "next_due_timestamp_seconds": NOW + 120,
                "stopped": 0.0,
                "unconfirmed": 0.0,
                "unconfirmed_files_total": 0.0,
            },
        ),
        (
            replace(UPLOAD, state="stopped", held_until=NOW + 900, next_due_at=None),
            {
                "last_confirmed_timestamp_seconds": NOW - 60,
                "held_until_timestamp_seconds": NOW + 900,
                "stopped": 1.0,
                "unconfirmed": 0.0,
                "unconfirmed_files_total": 0.0,
            },
        ),
        (
            replace(UPLOAD, state="unconfirmed", last_confirmed_at=None, unconfirmed=3),
            {
                "next_due_timestamp_seconds": NOW + 120,
                "stopped": 0.0,
                "unconfirmed": 1.0,
                "unconfirmed_files_total": 3.0,
            },
        ),
    ],
)
async def test_metrics_show_uploads(
    http: httpx.AsyncClient,
    operations: FakeOperations,
    upload: UploadReading,
    shown: dict[str, float],
) -> None:
    feeds = (replace(FEED, upload=upload), replace(FEED, name="siem"))
    operations.current = replace(STATUS, feeds=feeds)
    scraped = parsed((await http.get("/metrics")).text)
    head = "nss_feed_upload_"
    found = {key: number for key, number in scraped.items() if key[0].startswith(head)}
    assert found == {(head + name, (("feed", "mcas"),)): number for name, number in shown.items()}


async def test_metrics_show_what_became_of_uploaded_files(
    http: httpx.AsyncClient, operations: FakeOperations
) -> None:
    def uploads(found: Samples) -> dict[str, float]:
        return {
            name[12:]: value for (name, _), value in found.items() if name[:12] == "nss_uploads_"
        }

    assert uploads(parsed((await http.get("/metrics")).text)) == {}
    operations.current = replace(STATUS, parsing=PARSING)
    known = {
        "parsed_files": 12.0,
        "failed_files": 1.0,
        "pending_files": 3.0,
        "overdue_files": 0.0,
        "parse_failing": 1.0,
        "last_parsed_timestamp_seconds": NOW - 9000,
        "last_failed_timestamp_seconds": NOW - 7200,
        "results_unreadable": 0.0,
        "results_read_timestamp_seconds": NOW - 300,
    }
    assert uploads(parsed((await http.get("/metrics")).text)) == known
    unread = replace(PARSING, unreadable="x", read_at=None, last_failure=None, standing=())
    operations.current = replace(STATUS, parsing=replace(unread, last_parsed_at=None))
    found = uploads(parsed((await http.get("/metrics")).text))
    assert known.keys() - found.keys() == {
        "last_parsed_timestamp_seconds",
        "last_failed_timestamp_seconds",
        "results_read_timestamp_seconds",
    }
    assert (found["results_unreadable"], found["parse_failing"]) == (1.0, 0.0)


async def test_metrics_of_the_process_are_there(http: httpx.AsyncClient) -> None:
    scraped = parsed((await http.get("/metrics")).text)
    assert 0 <= time.time() - scraped["process_start_time_seconds", ()] < 3600
    assert scraped["process_resident_memory_bytes", ()] > 1_000_000
    assert scraped["process_open_fds", ()] > 2


def test_metrics_of_the_process_need_nothing_of_proc_but_processes(tmp_path: Path) -> None:
    (tmp_path / "self").symlink_to("/proc/self")
    found = {metric.name for metric in _Process(proc=str(tmp_path), registry=None).collect()}
    assert {"process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds"} <= found


async def test_alive_is_what_does_not_hang_however_degraded(
    http: httpx.AsyncClient, operations: FakeOperations
) -> None:
    operations.current = DEGRADED
    answer = await http.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "reasons": []})
    operations.current = replace(DEGRADED, health=replace(DEGRADED.health, alive=False))
    answer = await http.get("/livez")
    assert (answer.status_code, answer.json()) == (
        503,
        {"ok": False, "reasons": ["feed mcas: 10 records wait"]},
    )


@pytest.mark.parametrize("degraded", [False, True])
async def test_health_is_shown_with_its_reasons(
    http: httpx.AsyncClient, operations: FakeOperations, *, degraded: bool
) -> None:
    operations.current = DEGRADED if degraded else STATUS
    answer = await http.get("/healthz")
    assert answer.status_code == (503 if degraded else 200)
    assert answer.json() == orjson.loads(orjson.dumps(operations.current.health))


@pytest.mark.parametrize(
    ("spool", "status", "reasons"),
    [
        (SPOOL, 200, []),
        (replace(SPOOL, full=True), 503, ["the spool is full"]),
        (replace(SPOOL, last_error="No space left"), 503, ["No space left"]),
    ],
)
async def test_ready_means_that_records_are_accepted(
    http: httpx.AsyncClient,
    operations: FakeOperations,
    spool: SpoolStatus,
    status: int,
    reasons: list[str],
) -> None:
    operations.current = replace(DEGRADED, spool=spool)
    answer = await http.get("/readyz")
    assert (answer.status_code, answer.json()) == (status, {"ok": not reasons, "reasons": reasons})


HELD_UP = "feed mcas has as much pending as it may have (max_pending_bytes)"


@pytest.mark.parametrize(
    ("sources", "reasons"),
    [
        ({"http": HELD_UP}, [f"source http: {HELD_UP}"]),
        ({"http": HELD_UP, "tcp": HELD_UP}, [f"source {n}: {HELD_UP}" for n in ("http", "tcp")]),
        ({"http": HELD_UP, "tcp": None}, []),
        ({"http": HELD_UP, "file": None}, [f"source http: {HELD_UP}"]),
        ({"http": None, "file": HELD_UP}, []),
        ({"file": HELD_UP}, [f"source file: {HELD_UP}"]),
        ({"file": HELD_UP, "stdin": None}, []),
        ({}, []),
    ],
)
async def test_it_is_not_ready_while_all_sources_that_listen_are_held_up(
    http: httpx.AsyncClient,
    operations: FakeOperations,
    sources: dict[str, str | None],
    reasons: list[str],
) -> None:
    made = [replace(SOURCE, name=kind, kind=kind, held_up=why) for kind, why in sources.items()]
    operations.current = replace(STATUS, sources=tuple(made))
    answer = await http.get("/readyz")
    assert answer.status_code == (503 if reasons else 200)
    assert answer.json() == {"ok": not reasons, "reasons": reasons}


@pytest.mark.parametrize("path", ["/", "/status", "/tap"])
async def test_nothing_else_is_there(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 404
    assert (await http.post("/metrics")).status_code == 405


async def test_a_port_that_is_taken_is_reported_with_what_to_do(operations: FakeOperations) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = MetricsServer(Address("127.0.0.1", port), operations)
        with pytest.raises(ServiceError) as raised:
            await server.start()
        await server.close()
    assert str(raised.value) == (
        f"metrics: can't listen: address already in use (127.0.0.1:{port})\n"
        "Try: set service.metrics_listen to a free address of this machine"
    )


async def test_a_port_is_free_again_at_the_end(operations: FakeOperations) -> None:
    first = MetricsServer(Address("127.0.0.1", 0), operations)
    await first.start()
    assert first.bound_port
    await first.close()
    second = MetricsServer(Address("127.0.0.1", first.bound_port), operations)
    await second.start()
    await second.close()


async def test_a_server_that_is_closed_while_a_client_stays_does_not_wait_for_it(
    server: MetricsServer,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.bound_port)
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: nss\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    async with asyncio.timeout(3):
        await server.close()
    writer.close()


def test_names_follow_the_conventions_of_prometheus() -> None:
    for family in METRICS:
        assert re.fullmatch(r"nss_[a-z]+(_[a-z]+)*", family.name)
        assert family.name.endswith("_total") == (family.kind == "counter")
        assert family.text.endswith(".")


def test_the_page_says_of_every_metric_what_the_code_does() -> None:
    rows = re.findall(
        r"^\| `(nss_\w+)` \| (\w+) \| (.*?) \| (.*) \|$",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert rows == [
        (family.name, family.kind, ", ".join(f"`{label}`" for label in family.labels), family.text)
        for family in METRICS
    ]


OF_THE_SCRAPE = {"instance", "job"}
"""Labels that Prometheus gives each metric."""


def expressions() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    variables = [variable["query"] for variable in dashboard["templating"]["list"]]
    queries = [query["query"] for query in variables if isinstance(query, dict)]
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return queries + panels


async def test_the_dashboard_asks_for_metrics_that_are_there(http: httpx.AsyncClient) -> None:
    scraped = {name for name, _ in parsed((await http.get("/metrics")).text)}
    scraped.add(EVENTS.name)

    asked = {
        name
        for expression in expressions()
        for name in re.findall(r"\b(?:nss|process)_\w+", expression)
    }

    # Some are absent before the first of what they tell of.
    absent = {family.name for family in METRICS if "absent" in family.text}
    assert len(asked) > 15
    assert asked - scraped <= absent


def test_the_dashboard_asks_only_for_labels_that_its_metrics_have() -> None:
    labels = {family.name: set(family.labels) for family in METRICS}
    asked = set[str]()
    for expression in expressions():
        grouped = {
            label.strip()
            for group in re.findall(r"by \(([^)]*)\)", expression)
            for label in group.split(",")
        }
        asked |= grouped
        for name in re.findall(r"\bnss_\w+", expression):
            assert grouped - OF_THE_SCRAPE <= labels[name], expression
    assert asked >= {"feed", "source"}


def test_the_dashboard_is_one_of_grafana_10_with_a_data_source_to_choose() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert dashboard["schemaVersion"] == 38
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    sources = {panel["datasource"]["uid"] for panel in dashboard["panels"]}
    assert sources == {"${datasource}"}
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
