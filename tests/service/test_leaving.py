"""What becomes of records that wait for a feed which a reload, or a restart, takes away."""

import re
import shlex

import pytest

from nss.lab.generator import RecordGenerator
from nss.lab.ports import free_ports
from tests.faults.conftest import Scene, pytest_asyncio_loop_factories, scene, settled, sink, web
from tests.service.conftest import rendered

__all__ = ["pytest_asyncio_loop_factories", "scene"]

pytestmark = pytest.mark.long

OTHER = sink("file", 'path = "other"', name="other")


def dead(port: int, name: str = "mcas") -> str:
    """Return a feed whose collector is not there."""
    return sink("syslog_tcp", f'destinations = ["127.0.0.1:{port}"]', name=name)


async def started(scene: Scene, replay_minutes: int = 60) -> bytes:
    """Run a feed that delivers and one that can't; return the records."""
    (port,) = free_ports(1)
    data = RecordGenerator(1).batch(30)
    (scene.folder / "web.log").write_bytes(data)
    running = await scene.start(
        web(), OTHER, dead(port), drain_secs=0.2, replay_minutes=replay_minutes
    )
    await scene.until(
        lambda status: [(f.name, f.pending) for f in status.feeds] == [("other", 0), ("mcas", 30)]
    )
    await running.reported("sink_failed")
    return data


async def test_the_answer_to_a_reload_has_the_command_that_brings_what_a_removed_feed_left(
    scene: Scene,
) -> None:
    data = await started(scene)
    scene.write(web(), OTHER, drain_secs=0.2, replay_minutes=60)

    exit_code, answer = await scene.command("reload")

    assert exit_code == 0
    found = re.fullmatch(
        r"ended feed mcas\n"
        r"feed mcas is no longer configured; 30 records waited for it: kept in the spool "
        r"until 20[-0-9T:+]+, if there is room, and delivered by no feed\n"
        r"Try: put the feed back, sudo nss reload, then: sudo nss (replay --feed mcas "
        r"--since 20[-0-9T:+]+ --until 20[-0-9T:+]+)\n",
        answer,
    )
    assert found is not None, answer
    (mentioned,) = [r for r in (await scene.status()).health.reasons if r.component == "feed mcas"]
    assert (mentioned.degrades, mentioned.why) == (
        False,
        "no longer configured; 30 records waited for it",
    )

    scene.write(web(), OTHER, sink("file", 'path = "mcas"', name="mcas"), replay_minutes=60)
    assert (await scene.command("reload"))[0] == 0
    exit_code, answer = await scene.command(*shlex.split(found[1]))
    assert (exit_code, answer.split(" accepted ")[0]) == (0, "30 records")
    await scene.until(settled)

    assert scene.lines("mcas") == rendered(data, "QRADAR")
    assert (await scene.status()).health.reasons == ()


async def test_a_spool_that_keeps_nothing_says_that_they_are_lost(scene: Scene) -> None:
    await started(scene, replay_minutes=0)
    scene.write(web(), OTHER, drain_secs=0.2, replay_minutes=0)

    _, answer = await scene.command("reload")

    assert answer == (
        "ended feed mcas\nfeed mcas is no longer configured; 30 records waited for it: lost, as "
        "this spool keeps nothing for a replay\n"
    )


async def put_back(scene: Scene, *before: str) -> None:
    """Remove the feed `mcas`, whose records wait, and put it back."""
    scene.write(web(), *before, drain_secs=0.2, replay_minutes=60)
    assert (await scene.command("reload"))[0] == 0
    (mentioned,) = [r for r in (await scene.status()).health.reasons if r.component == "feed mcas"]
    assert mentioned.why == "no longer configured; 30 records waited for it"
    again = sink("file", 'path = "mcas"', name="mcas")
    scene.write(web(), *before, again, drain_secs=0.2, replay_minutes=60)
    assert (await scene.command("reload"))[0] == 0


async def test_a_feed_that_is_back_and_has_all_again_is_not_told_of_as_gone(scene: Scene) -> None:
    ports = free_ports(2)
    data = RecordGenerator(1).batch(30)
    (scene.folder / "web.log").write_bytes(data)
    behind = dead(ports[0], "behind")
    await scene.start(web(), behind, dead(ports[1]), drain_secs=0.2, replay_minutes=60)
    await scene.until(lambda status: [f.pending for f in status.feeds] == [30, 30])

    await put_back(scene, behind)
    await scene.until(lambda status: status.feeds[1].delivered == 30)

    assert scene.lines("mcas") == rendered(data, "QRADAR")
    assert {r.component for r in (await scene.status()).health.reasons} == {"feed behind"}


async def test_a_feed_that_is_back_without_its_records_is_told_with_the_command_alone(
    scene: Scene,
) -> None:
    await started(scene)

    await put_back(scene, OTHER)

    (mentioned,) = (await scene.status()).health.reasons
    assert mentioned.why == "configured again; 30 records wait for a replay"
    _, command = mentioned.remedy.split(": sudo nss ")
    assert (await scene.command(*shlex.split(command)))[0] == 0
    await scene.until(settled)
    assert len(scene.lines("mcas")) == 30
    assert (await scene.status()).health.reasons == ()


async def test_a_feed_that_is_back_and_removed_again_is_gone_again(scene: Scene) -> None:
    await started(scene)
    await put_back(scene, OTHER)
    scene.write(web(), OTHER, drain_secs=0.2, replay_minutes=60)
    assert (await scene.command("reload"))[0] == 0

    (mentioned,) = (await scene.status()).health.reasons
    assert mentioned.why == "no longer configured; 30 records waited for it"
    assert mentioned.remedy.startswith("put the feed back, ")


async def test_a_feed_of_another_name_begins_with_what_was_pending(scene: Scene) -> None:
    data = await started(scene)
    scene.write(web(), OTHER, sink("file", 'path = "lines"', name="new"), replay_minutes=60)

    _, answer = await scene.command("reload")
    await scene.until(settled)

    assert answer == (
        "ended feed mcas\nstarted feed new\nfeed mcas is no longer configured; 30 records waited "
        "for it: the new feed new begins with what waited\n"
    )
    assert scene.lines() == rendered(data, "QRADAR")
    assert (await scene.status()).health.reasons == ()


async def test_a_feed_that_is_gone_at_the_start_is_in_the_status(scene: Scene) -> None:
    await started(scene)
    await scene.stop(scene._started[0])
    await scene.start(web(), OTHER, replay_minutes=60)

    (mentioned,) = (await scene.status()).health.reasons
    assert (mentioned.component, mentioned.why) == (
        "feed mcas",
        "no longer configured; 30 records waited for it",
    )
    assert "sudo nss replay --feed mcas --since " in mentioned.remedy
