"""The seeded record generator: web transaction records as a custom Cloud NSS feed posts them."""

import random
import time
from collections.abc import Iterator
from itertools import accumulate, count, islice
from typing import NamedTuple

import orjson

from nss.lab import catalog, hostile

_BLOCK = 1_000
_PEOPLE = 400
_BLOCKED_SHARE = 0.06
_THREAT_SHARE = 0.1
_SIZE_SPREAD = 1.3  # sigma of the log-normal sizes: a few records carry most of the bytes
_SIZE_POOL = 4_096
_FIRST_RECORD_ID = 6_900_000_000_000_000_000
_ENVELOPE = b'{"sourcetype":"zscalernss-web","event":'
_LONG_CHARS = (1_500, 4_500)

Fields = dict[str, str]


class _Visit(NamedTuple):
    """A typical request to one app: its fields and sizes."""

    fields: Fields
    url: str
    requests: list[str]
    responses: list[str]


class RecordGenerator:
    """Makes endless records; the same arguments make the same bytes.

    `hostile_share` of the records carry text meant to break lines and parsers, `long_share` a URL,
    referrer or user agent of several KB, about 6 % are blocked. Record times start at
    `start_epoch` (Unix seconds) and advance by a second every `records_per_sec` records. `flat`
    leaves out the Cloud NSS envelope `{"sourcetype": ..., "event": {...}}`. Every value is a
    string, as in real feeds.
    """

    def __init__(
        self,
        seed: int,
        *,
        hostile_share: float = 0.02,
        long_share: float = 0.03,
        start_epoch: int = 1_767_225_600,
        records_per_sec: float = 1_000.0,
        flat: bool = False,
    ) -> None:
        if not (0 <= hostile_share <= 1 and 0 <= long_share <= 1 - hostile_share):
            raise ValueError("record generator: hostile_share + long_share must be within 0 and 1")
        if records_per_sec <= 0:
            raise ValueError("record generator: records_per_sec must be more than 0")
        self._rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._hostile_below = hostile_share
        self._long_below = hostile_share + long_share
        self._start_epoch = start_epoch
        self._records_per_sec = records_per_sec
        self._flat = flat
        self._people = [self._person(number) for number in range(_PEOPLE)]
        self._people_weights = list(accumulate(1 / (rank + 10) for rank in range(_PEOPLE)))
        sizes = {name: self._size_pools(traffic) for name, traffic in catalog.TRAFFIC.items()}
        self._visits = [
            [self._visit(number, app, request, *sizes[app.traffic]) for request in requests]
            for number, app in enumerate(catalog.APPS)
            for requests in [catalog.TRAFFIC[app.traffic].requests]
        ]
        self._app_weights = list(accumulate(1 / (rank + 1) for rank in range(len(catalog.APPS))))
        self._lines = self._endless()

    def lines(self, records: int) -> Iterator[bytes]:
        """Yield the next records, one JSON object each, without line feeds."""
        return islice(self._lines, records)

    def batch(self, records: int) -> bytes:
        """Return the next records, each ended by LF, as a source hands them on."""
        return b"".join([line + b"\n" for line in self.lines(records)])

    def _endless(self) -> Iterator[bytes]:
        rng = self._rng
        for first in count(0, _BLOCK):
            people = rng.choices(self._people, cum_weights=self._people_weights, k=_BLOCK)
            apps = rng.choices(self._visits, cum_weights=self._app_weights, k=_BLOCK)
            for index, person, visits in zip(count(first), people, apps, strict=False):
                record = orjson.dumps(self._record(index, person, visits))
                yield record if self._flat else _ENVELOPE + record + b"}"

    def _record(self, index: int, person: Fields, visits: list[_Visit]) -> Fields:
        draw = self._rng.random
        visit = visits[int(draw() * len(visits))]
        record_id = str(_FIRST_RECORD_ID + index * 1_000_003 + int(draw() * 1_000_000))
        record = {
            "time": time.asctime(
                time.gmtime(self._start_epoch + int(index / self._records_per_sec))
            ),
            "recordid": record_id,
            **person,
            **visit.fields,
            "eurl": visit.url + record_id[-6:] if visit.url else visit.fields["ehost"] + ":443",
            "reqsize": visit.requests[int(draw() * _SIZE_POOL)],
            "respsize": visit.responses[int(draw() * _SIZE_POOL)],
        }
        if draw() < _BLOCKED_SHARE:
            self._block(record)
        kind = draw()
        if kind < self._hostile_below:
            self._poison(record)
        elif kind < self._long_below:
            self._lengthen(record)
        return record

    def _block(self, record: Fields) -> None:
        record |= {"action": "Blocked", "respcode": "403", "respsize": "13452", "sip": "0.0.0.0"}  # noqa: S104 - the documented placeholder
        if self._rng.random() >= _THREAT_SHARE:
            record["reason"] = self._rng.choice(catalog.BLOCKS)
            return
        reason, category, malware_class, threat, risk = self._rng.choice(catalog.THREATS)
        record |= {
            "reason": reason,
            "malwarecat": category,
            "malwareclass": malware_class,
            "threatname": threat,
            "riskscore": str(risk),
            "threatseverity": _severity(risk),
        }

    def _poison(self, record: Fields) -> None:
        for field in self._rng.sample(hostile.FIELDS, self._rng.randint(1, 3)):
            text = self._rng.choice(hostile.VALUES)
            record[field] = record[field] + text if self._rng.random() < 0.5 else text  # noqa: PLR2004 - half of them

    def _lengthen(self, record: Fields) -> None:
        field = self._rng.choice(("eurl", "ereferer", "ua"))
        piece = "; rv:1.0 (compatible)" if field == "ua" else "&state=eyJhbGciOiJub25lIn0%3D"
        length = self._rng.randint(*_LONG_CHARS)
        record[field] = (record[field] + piece * (length // len(piece) + 1))[:length]

    def _person(self, number: int) -> Fields:
        first = catalog.FIRST_NAMES[number % len(catalog.FIRST_NAMES)]
        last = self._rng.choice(catalog.LAST_NAMES)
        place = self._rng.randrange(len(catalog.LOCATIONS))
        owner = f"{first[0]}{last}{number}"
        return {
            "login": f"{first}.{last}{number}@example.com",
            "dept": self._rng.choice(catalog.DEPARTMENTS),
            "location": catalog.LOCATIONS[place],
            "cip": f"10.{20 + place}.{number // 200}.{number % 200 + 10}",
            "cintip": f"203.0.113.{place + 10}",
            "ua": self._rng.choice(catalog.BROWSERS),
            "deviceowner": owner,
            "devicehostname": f"{self._rng.choice(('LT', 'WS', 'MAC'))}-{owner.upper()}",
        }

    def _size_pools(self, traffic: catalog.Traffic) -> tuple[list[str], list[str]]:
        def pool(median_bytes: int) -> list[str]:
            draws = (self._rng.lognormvariate(0, _SIZE_SPREAD) for _ in range(_SIZE_POOL))
            return [str(200 + int(median_bytes * size)) for size in draws]

        return pool(traffic.request_median_bytes), pool(traffic.response_median_bytes)

    def _visit(
        self,
        number: int,
        app: catalog.App,
        request: tuple[str, str, str, str, str],
        requests: list[str],
        responses: list[str],
    ) -> _Visit:
        method, path, content_type, file_class, file_type = request
        risk = self._rng.choice((0, 0, 0, 5, 20, 50))
        fields = {
            "reason": "Allowed",
            "action": "Allowed",
            "proto": "HTTP_PROXY" if method == "CONNECT" else "HTTPS",
            "sip": f"192.0.2.{number + 1}" if number % 7 else f"2001:db8:0:{number}::10",
            "ehost": app.host,
            "ereferer": f"{app.host}/" if method == "GET" else "None",
            "reqmethod": method,
            "respcode": "200",
            "contenttype": content_type,
            "fileclass": file_class,
            "filetype": file_type,
            "urlcat": app.category,
            "urlsupercat": app.super_category,
            "urlclass": app.url_class,
            "appclass": app.app_class,
            "appname": app.name,
            "appnameid": str(10_000 + number),
            "app_status": app.status,
            "malwarecat": "None",
            "malwareclass": "None",
            "threatname": "None",
            "riskscore": str(risk),
            "threatseverity": _severity(risk),
            "dlpdict": "Credit Cards|Names" if method == "PUT" else "None",
            "dlpeng": "PCI" if method == "PUT" else "None",
            "bwthrottle": "Yes" if app.traffic == "stream" else "NO",
            "unscannabletype": "Encrypted File" if file_type == "ZIP" else "None",
            "keyprotectiontype": "Software Protection" if app.traffic == "share" else "N/A",
        }
        join = "&s=" if "?" in path else "?s="
        return _Visit(fields, f"{app.host}{path}{join}" if path else "", requests, responses)


def _severity(risk: int) -> str:
    """Return the severity class of a page risk index, 0 to 100."""
    for floor, name in ((90, "Critical"), (75, "High"), (46, "Medium"), (1, "Low")):
        if risk >= floor:
            return name
    return "None"
