"""Statuses as a running service gives them, made up: healthy, with a collector down, crowded."""

from dataclasses import asdict, replace

from nss.expiry import Expiry
from nss.status.readings import GapsReading, ParsingReading, UploadReading
from nss.status.summary import (
    ExpiryStatus,
    FeedStatus,
    Health,
    Reason,
    SourceStatus,
    SpoolStatus,
    Status,
)

NOW = 1_790_000_000.0
"""2026-09-21 14:13:20 UTC."""

PUSH = SourceStatus(
    name="cloud-nss",
    kind="http",
    state="reading",
    records=18_204_377,
    data_bytes=21_474_836_480,
    records_per_sec=5_012.0,
    bytes_per_sec=6_291_456.0,
    last_at=NOW - 1,
    last_error=None,
    failing_secs=0.0,
)
BRANCH = replace(
    PUSH,
    name="branch",
    kind="tcp",
    state="idle",
    records=91_220,
    data_bytes=88_080_384,
    records_per_sec=0.0,
    bytes_per_sec=0.0,
    last_at=NOW - 4_000,
)
SIEM = FeedStatus(
    name="siem",
    kind="syslog_tcp",
    destination="siem.example.com:6514",
    state="moving",
    accepted=18_295_597,
    delivered=18_295_585,
    filtered=0,
    rejected=0,
    dropped=0,
    pending=12,
    shortened=0,
    records_per_sec=5_009.0,
    rejected_lately=0,
    lag_secs=0.4,
    lag_growth_secs=0.0,
    still_secs=0.0,
    patience_secs=0.0,
    sending=True,
    last_error=None,
    failing_secs=0.0,
    last_delivered_at=NOW - 1,
)
UPLOAD = UploadReading(
    state="collecting",
    last_confirmed_at=NOW - 65,
    next_due_at=NOW + 235,
    held_until=None,
    unconfirmed=0,
)
MCAS = replace(
    SIEM,
    name="mcas",
    kind="cloud_discovery",
    destination="contoso.eu2.portal.cloudappsecurity.com, data source NSS",
    delivered=18_000_100,
    filtered=290_110,
    rejected=5,
    pending=5_382,
    lag_secs=65.0,
    patience_secs=300.0,
    upload=UPLOAD,
    confirmation="confirmed",
    last_delivered_at=NOW - 65,
)
SPOOL = SpoolStatus(
    durable=True,
    used_bytes=3_435_973_836,
    max_bytes=8_589_934_592,
    full=False,
    full_secs=0.0,
    last_error=None,
    failing_secs=0.0,
    kept_rejects=5,
)
HEALTHY = Status(
    version="0.1.0",
    core="compiled",
    pid=4711,
    started_at=NOW - 3_661,
    at=NOW,
    config="/etc/nss/nss.toml",
    health=Health(ok=True, alive=True),
    sources=(PUSH, BRANCH),
    feeds=(SIEM, MCAS),
    spool=SPOOL,
    parsing=ParsingReading(
        data_source="NSS",
        read_at=NOW - 300,
        unreadable=None,
        parsed=12,
        failed=0,
        pending=3,
        overdue=0,
        last_parsed_at=NOW - 9_000,
        last_failure=None,
        standing=(),
    ),
    expiries=(
        ExpiryStatus(component="MCAS", credential="client_secret", ends_at=NOW + 34e5, days=39),
    ),
)

REFUSED = Reason(
    component="feed siem",
    why="nothing listens at siem.example.com:6514 (connection refused)",
    since=NOW - 240,
    next_try_at=NOW + 30,
    meaning="1,203,104 records wait in the spool; none is lost",
    remedy="start the collector on siem.example.com (TCP port 6514), or correct destinations in "
    "[feeds.siem.sink]; test it with: nss test-firewall",
)
SECRET = Expiry(component="MCAS", credential="client_secret", ends_at=NOW + 8e5)
ENDS = Reason(
    component=SECRET.component,
    why=SECRET.finding(NOW),
    degrades=False,
    meaning=SECRET.meaning(NOW),
    remedy=SECRET.remedy,
)
SOON = ExpiryStatus(**asdict(SECRET), days=SECRET.days_left(NOW))
WAITING = replace(
    SIEM,
    state="failing",
    delivered=17_092_493,
    pending=1_203_104,
    records_per_sec=0.0,
    lag_secs=241.0,
    last_error="connection refused",
    failing_secs=240.0,
    last_delivered_at=NOW - 241,
)
DOWN = replace(
    HEALTHY,
    health=Health(ok=False, alive=True, reasons=(REFUSED, ENDS)),
    feeds=(MCAS, WAITING),
    expiries=(SOON,),
)


def many(feeds: int, failing: int) -> Status:
    """Return a service with so many feeds, of which the last ones fail."""
    good = [replace(SIEM, name=f"branch-{number:02}") for number in range(feeds - failing)]
    bad = [replace(WAITING, name=f"down-{number}") for number in range(failing)]
    reasons = [replace(REFUSED, component=f"feed {feed.name}") for feed in bad]
    health = Health(ok=not failing, alive=True, reasons=(*reasons, ENDS))
    return replace(HEALTHY, health=health, feeds=(*good, *bad), expiries=(SOON,))


CROWDED = many(20, 2)

KEYS = GapsReading(
    source="cloud-nss", form="json", unmapped={"colour": 1234, "shape\u202e": 1}, missing=()
)
HOSTILE_NAME = "東京" * 40 + "\x1b[2J\u202e" + "x" * 200
HOSTILE = replace(
    HEALTHY,
    config="/a\x1b[2J.toml",
    health=Health(
        ok=False,
        alive=True,
        reasons=(replace(REFUSED, component=f"feed {HOSTILE_NAME}", why="\x07" * 100),),
    ),
    sources=(replace(PUSH, name=HOSTILE_NAME, records=10**18, bytes_per_sec=1e300),),
    feeds=(
        replace(WAITING, name=HOSTILE_NAME, destination="\n" * 50 + HOSTILE_NAME, gaps=(KEYS,)),
        replace(MCAS, lag_secs=1e12, pending=-(10**18)),
    ),
)
