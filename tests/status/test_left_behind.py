"""What people are told of records that waited for a feed which the configuration lost."""

from dataclasses import replace
from datetime import datetime

from nss.admin.operations import Reloaded
from nss.admin.portal.pages.configuration import _said
from nss.status import left_behind
from nss.status.readings import LeftBehindReading
from tests.admin.conftest import NOW

LEFT = LeftBehindReading(feed="mcas", records=1, at=NOW + 0.5, until=NOW + 3600)


def shown(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="seconds")


def test_a_removed_feed_is_told_with_the_command_that_brings_its_records() -> None:
    command = f"sudo nss replay --feed mcas --since {shown(NOW)} --until {shown(NOW + 1)}"
    first, second = left_behind.sentences(LEFT)
    assert first == (
        "feed mcas is no longer configured; 1 record waited for it: kept in the spool until "
        f"{shown(NOW + 3600)}, if there is room, and delivered by no feed"
    )
    assert second == f"Try: put the feed back, sudo nss reload, then: {command}"


def test_a_source_that_a_feed_no_longer_takes_is_put_back_instead() -> None:
    lost = replace(LEFT, is_gone=False, records=2)
    first, second = left_behind.sentences(lost)
    assert first.startswith("feed mcas no longer takes a source; 2 records of it waited: kept in")
    assert second.startswith("Try: put the source back, sudo nss reload, then: sudo nss replay ")


def test_what_is_lost_or_taken_over_has_no_command() -> None:
    lost, taken = replace(LEFT, until=None), replace(LEFT, heirs=("new", "other"))
    start = "feed mcas is no longer configured; 1 record waited for it: "
    assert left_behind.sentences(lost) == [f"{start}lost, as this spool keeps nothing for a replay"]
    assert left_behind.sentences(taken) == [
        f"{start}the new feeds new and other begin with what waited"
    ]
    reason = left_behind.reason(lost)
    assert (reason.since, reason.degrades, bool(reason.remedy)) == (NOW + 0.5, False, True)


def test_a_feed_that_is_back_is_told_with_what_a_replay_brings() -> None:
    waits = left_behind.reason(replace(LEFT, replayable=8))
    assert waits.why == "configured again; 8 records wait for a replay"
    assert waits.remedy.startswith("send them, those delivered before come twice: sudo nss replay ")
    assert waits.meaning.startswith("kept in the spool until ")
    unclear = left_behind.reason(replace(LEFT, replayable=0))
    assert unclear.why == "configured again; 1 record waited for it before"
    assert unclear.meaning == "a replay finds none: they are pending again, or no longer kept"
    assert unclear.remedy == "see what is pending and delivered: nss status"
    lost = left_behind.reason(replace(LEFT, replayable=0, until=None))
    assert lost.meaning == "lost, as this spool keeps nothing for a replay"


def test_the_portal_answers_a_reload_with_it() -> None:
    said = _said(Reloaded(["feed mcas"], [], [replace(LEFT, until=None)]))
    assert said == (
        "Ended: feed mcas. feed mcas is no longer configured; 1 record waited for it: lost, as "
        "this spool keeps nothing for a replay."
    )
