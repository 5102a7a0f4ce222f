"""What a feed can't use of records and what it lacks of them: reported once, bounded, by source."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from formats import FeedSettings, Input, Lines, Pipeline, Rendered, filters, json_names, presets
from nss.feeds.gaps import Gaps
from nss.feeds.pipelines import Origin, Pipelines
from nss.status.readings import GapsReading
from nss.telemetry import events
from nss.telemetry.counters import Counter
from nss.telemetry.logs import _TextFormatter
from tests.parts import happened

MCAS = presets.load("MCAS")
WHOLE = {"epochtime": 1, "login": "ann", "cip": "10.0.0.1", "url": "e.example/"}
NO_USER = {key: value for key, value in WHOLE.items() if key != "login"}


@pytest.fixture(autouse=True)
def _fresh_telemetry(caplog: pytest.LogCaptureFixture) -> None:
    events.clear()
    caplog.set_level("INFO", "nss")


def lines(*records: object) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def made(source: Input | None = None, **settings: Any) -> Pipelines:  # noqa: ANN401 - the settings' own
    origin = Origin(source or json_names(), FeedSettings(MCAS, **settings))
    return Pipelines("mcas", {"web": origin, "branch": origin})


def gaps(pipelines: Pipelines) -> list[GapsReading]:
    return list(pipelines.gaps.readings())


def reported(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, Any]]]:
    return [each for each in happened(caplog) if each[0] != "format_recognised"]


def test_records_that_lack_nothing_have_no_gap(caplog: pytest.LogCaptureFixture) -> None:
    feed = made()
    for _ in range(100):
        feed.render(("web", "1"), lines(*[WHOLE] * 20))
    assert (gaps(feed), reported(caplog)) == ([], [])


def test_what_records_lack_is_reported_once_and_stays_in_the_status(
    caplog: pytest.LogCaptureFixture,
) -> None:
    feed = made()
    for number in range(100):
        feed.render(("web", str(number % 3)), lines(*[NO_USER] * 20))
    feed.render(("branch", "1"), lines(*[WHOLE] * 20))
    assert gaps(feed) == [
        GapsReading(source="web", form="json", unmapped={}, missing=("a user (login)",))
    ]
    assert reported(caplog) == [
        ("fields_missing", {"source": "web", "format": "json", "missing": "a user (login)"})
    ]
    assert events.counters[Counter.FIELDS_MISSING, "mcas"] == 1


def test_once_records_state_it_that_is_reported_and_the_gap_is_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    feed = made()
    for _ in range(10):
        feed.render(("web", "1"), lines(*[NO_USER] * 20))
    feed.render(("web", "2"), lines(WHOLE))
    assert gaps(feed) == []
    assert [name for name, _ in reported(caplog)] == ["fields_missing", "fields_stated"]


def test_placeholders_are_no_gap(caplog: pytest.LogCaptureFixture) -> None:
    feed = made()
    for _ in range(50):
        feed.render(("web", "1"), lines(*[WHOLE | {"login": "None", "cip": None}] * 20))
    assert (gaps(feed), reported(caplog)) == ([], [])


def test_records_of_which_none_can_be_printed_lack_nothing() -> None:
    feed = made()
    for _ in range(50):
        feed.render(("web", "1"), lines(*[{"test": "connectivity"}] * 20))
    assert [gap.missing for gap in gaps(feed) if gap.missing] == []


def test_records_that_the_filter_leaves_out_are_looked_at() -> None:
    feed = made(filter=filters.parse({"users": "nobody"}))
    for _ in range(10):
        feed.render(("web", "1"), lines(*[NO_USER] * 20))
    assert [gap.missing for gap in gaps(feed)] == [("a user (login)",)]


def test_forms_of_one_source_have_gaps_of_their_own() -> None:
    feed = Pipelines("mcas", {"web": Origin(None, FeedSettings(MCAS))})
    (leef,) = Pipeline(json_names(), FeedSettings(MCAS)).run(lines(WHOLE)).lines
    userless = leef.replace(b"usrName=ann\t", b"") + b"\n"
    for _ in range(10):
        feed.render(("web", "1"), lines(*[WHOLE] * 20))
        feed.render(("web", "2"), userless * 20)
    assert [(gap.form, gap.missing) for gap in gaps(feed)] == [("MCAS", ("a user (login)",))]


def test_connections_of_one_form_are_looked_at_together() -> None:
    feed = made()
    for number in range(50):
        feed.render(("web", str(number)), lines(*[NO_USER] * 20))
        feed.render(("web", "1"), lines(WHOLE))
    assert gaps(feed) == []


def test_keys_of_records_that_no_field_is_known_for_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    feed = made()
    for number in range(20):
        feed.render(("web", "1"), lines(*[WHOLE | {"colour": "red", f"k{number % 3}": 1}] * 20))

    (gap,) = gaps(feed)
    assert gap.unmapped == {"colour": 400, "k0": 140, "k1": 140, "k2": 120}
    assert [facts["names"] for _, facts in reported(caplog)] == ["colour, k0", "k1", "k2"]


class TestKeys:
    """Keys that no field is known for; counts are those of the pipeline."""

    @staticmethod
    def look(seen: Gaps, unmapped: Mapping[str, int], source: str = "web") -> None:
        rendered = Rendered(Lines.of([b"x"]), [], unmapped=unmapped)
        seen.look(source, json_names(), MCAS, lines(WHOLE), rendered)

    def test_are_counted_and_each_name_is_reported_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        seen = Gaps("mcas")
        self.look(seen, {"colour": 3, "size": 1})
        self.look(seen, {"colour": 4})
        self.look(seen, {"shape": 1, "colour": 1})
        self.look(seen, {"colour": 1}, "branch")

        assert [(gap.source, gap.unmapped) for gap in seen.readings()] == [
            ("web", {"colour": 8, "size": 1, "shape": 1}),
            ("branch", {"colour": 1}),
        ]
        assert happened(caplog) == [
            ("keys_unmapped", {"source": "web", "names": "colour, size", "keys": 2}),
            ("keys_unmapped", {"source": "web", "names": "shape", "keys": 1}),
            ("keys_unmapped", {"source": "branch", "names": "colour", "keys": 1}),
        ]
        assert events.counters[Counter.KEYS_UNMAPPED, "mcas"] == 4

    def test_are_bounded_whatever_a_sender_makes_up(self, caplog: pytest.LogCaptureFixture) -> None:
        seen = Gaps("mcas")
        for number in range(1000):
            self.look(seen, {f"key{number}": 1})

        (gap,) = seen.readings()
        assert len(gap.unmapped) == 65
        assert gap.unmapped["..."] == 1000 - 64
        assert len(happened(caplog)) == 64

    def test_that_are_hostile_do_not_break_the_line_of_the_log(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.look(Gaps("mcas"), {"a\u202e\x1b[31m": 1})

        assert _TextFormatter().format(caplog.records[0]).isprintable()
