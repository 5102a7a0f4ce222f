"""Names, failover and failback, without a network."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from nss.causes import Cause
from nss.config.sinks import SyslogSinkConfig
from nss.config.values import Address
from nss.sinks.syslog.destinations import Destinations, Endpoint, resolve_name
from nss.telemetry.events import counters

if TYPE_CHECKING:
    from tests.sinks.conftest import Clock


class Names:
    """A name service whose answers the test writes; an exception is a failed lookup."""

    def __init__(self, **answers: list[str] | Exception) -> None:
        self.answers: dict[str, list[str] | Exception] = dict(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:  # noqa: ARG002 - a Resolve
        self.asked.append(host)
        answer = self.answers[host]
        if isinstance(answer, Exception):
            raise answer
        return answer


def destinations(names: Names, clock: "Clock", *hosts: str) -> Destinations:
    configured = SyslogSinkConfig(destinations=tuple(Address(host, 514) for host in hosts))
    return Destinations("feed", configured, resolve=names, clock=clock)


async def settle(chosen: Destinations) -> Endpoint | None:
    """Return the target in use once the lookups that are due have been answered."""
    await chosen.current()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return await chosen.current()


async def test_a_name_is_looked_up_again_on_the_interval_and_its_new_address_used(
    clock: "Clock",
) -> None:
    names = Names(siem=["192.0.2.1"])
    chosen = destinations(names, clock, "siem")
    before = await settle(chosen)
    names.answers["siem"] = ["192.0.2.2"]
    clock.secs += 299
    still = await settle(chosen)
    clock.secs += 1
    after = await settle(chosen)
    assert [before, still, after, names.asked, counters["sink_address_changes", "feed"]] == [
        Endpoint("siem", 514, "192.0.2.1"),
        Endpoint("siem", 514, "192.0.2.1"),
        Endpoint("siem", 514, "192.0.2.2"),
        ["siem", "siem"],
        1,
    ]


async def test_a_failed_lookup_keeps_the_last_good_address(clock: "Clock") -> None:
    names = Names(siem=["192.0.2.1"])
    chosen = destinations(names, clock, "siem")
    await settle(chosen)
    names.answers["siem"] = OSError("no answer")
    clock.secs += 300
    kept = await settle(chosen)
    assert (kept, counters["sink_lookup_failures", "feed"]) == (
        Endpoint("siem", 514, "192.0.2.1"),
        1,
    )


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (OSError("no answer"), "the collector's name siem can't be looked up (no answer)"),
        (
            UnicodeError("label too long"),
            "the collector's name siem can't be a name: label too long",
        ),
        ([], "DNS does not know the collector's name siem (no address)"),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "DNS does not know the collector's name siem (name or service not known)",
        ),
        (
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
            (
                "no DNS server answers for the collector's name siem "
                "(temporary failure in name resolution)"
            ),
        ),
    ],
)
async def test_a_name_without_any_address_is_reported_and_resolved_again(
    answer: list[str] | Exception, sentence: str, clock: "Clock"
) -> None:
    names = Names(siem=answer)
    chosen = destinations(names, clock, "siem")
    assert await chosen.current() is None
    assert chosen.lookup_trouble.sentence == sentence
    names.answers["siem"] = ["192.0.2.1"]
    assert await chosen.current() == Endpoint("siem", 514, "192.0.2.1")


async def test_a_name_service_that_never_answers_holds_nobody_up(
    clock: "Clock", monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(host: str, port: int) -> Sequence[str]:  # noqa: ARG001 - a Resolve
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr("nss.sinks.syslog.destinations.LOOKUP_SECS", 0.01)
    configured = SyslogSinkConfig(destinations=(Address("siem", 514),))
    chosen = Destinations("feed", configured, resolve=silent, clock=clock)
    assert await asyncio.wait_for(chosen.current(), 5) is None
    await chosen.close()
    assert chosen.lookup_trouble.sentence == (
        "no DNS server answers for the collector's name siem (no answer within 0.01 s)"
    )
    assert [each.lookup is not None and each.lookup.done() for each in chosen._destinations] == [
        True
    ]


async def test_a_failure_has_the_name_looked_up_at_once(clock: "Clock") -> None:
    names = Names(siem=["192.0.2.1"])
    chosen = destinations(names, clock, "siem")
    first = await settle(chosen)
    assert first is not None
    names.answers["siem"] = ["192.0.2.2"]
    chosen.failed(first, Cause("refused"))
    assert await settle(chosen) == Endpoint("siem", 514, "192.0.2.2")


async def test_addresses_in_another_order_are_no_change(clock: "Clock") -> None:
    names = Names(siem=["192.0.2.1", "192.0.2.2"])
    chosen = destinations(names, clock, "siem")
    before = await settle(chosen)
    names.answers["siem"] = ["192.0.2.2", "192.0.2.1"]
    clock.secs += 300
    assert (await settle(chosen), counters["sink_address_changes", "feed"]) == (before, 0)


async def test_all_addresses_of_a_name_come_before_the_next_destination(clock: "Clock") -> None:
    names = Names(siem=["2001:db8::1", "192.0.2.1"], backup=["192.0.2.9"])
    chosen = destinations(names, clock, "siem", "backup")
    order = []
    for _ in range(4):
        target = await settle(chosen)
        assert target is not None
        order.append(str(target))
        chosen.failed(target, Cause("refused"))
    assert order == [
        "siem:514 at 2001:db8::1",
        "siem:514 at 192.0.2.1",
        "backup:514 at 192.0.2.9",
        "siem:514 at 2001:db8::1",
    ]


async def test_the_first_destination_is_tried_again_after_the_failback_time(
    clock: "Clock", happened: Callable[[], list[tuple[str, dict[str, Any]]]]
) -> None:
    names = Names(siem=["192.0.2.1"], backup=["192.0.2.9"])
    chosen = destinations(names, clock, "siem", "backup")
    first = await settle(chosen)
    assert first is not None
    chosen.failed(first, Cause("refused"))
    second = await settle(chosen)
    clock.secs += 59.9
    still = await settle(chosen)
    clock.secs += 0.1
    back = await settle(chosen)
    assert [str(second), still, back, chosen.is_suspect(first)] == [
        "backup:514 at 192.0.2.9",
        second,
        first,
        True,
    ]
    chosen.worked(first)
    assert not chosen.is_suspect(first)
    at_first = {"destination": "siem:514 at 192.0.2.1"}
    assert happened() == [
        ("sink_failed", at_first | {"why": "refused"}),
        (
            "sink_failed_over",
            {"failed": "siem:514 at 192.0.2.1", "destination": "backup:514 at 192.0.2.9"},
        ),
        ("sink_recovered", at_first),
    ]


async def test_a_backup_works_while_the_name_of_the_first_is_unknown(clock: "Clock") -> None:
    names = Names(siem=OSError("no answer"), backup=["192.0.2.9"])
    chosen = destinations(names, clock, "siem", "backup")
    backup = await settle(chosen)
    names.answers["siem"] = ["192.0.2.1"]
    clock.secs += 10
    assert [str(backup), str(await settle(chosen))] == [
        "backup:514 at 192.0.2.9",
        "siem:514 at 192.0.2.1",
    ]


async def test_lookups_under_way_end_with_close(clock: "Clock") -> None:
    started = asyncio.Event()

    async def never(host: str, port: int) -> Sequence[str]:  # noqa: ARG001 - a Resolve
        started.set()
        await asyncio.Event().wait()
        return []

    configured = SyslogSinkConfig(destinations=(Address("siem", 514),))
    chosen = Destinations("feed", configured, resolve=never, clock=clock)
    waiting = asyncio.create_task(chosen.current())
    await started.wait()
    await chosen.close()
    assert await waiting is None


async def test_the_system_resolves_addresses_of_both_families() -> None:
    assert [await resolve_name("127.0.0.1", 514), await resolve_name("::1", 514)] == [
        ["127.0.0.1"],
        ["::1"],
    ]


def test_an_endpoint_is_shown_by_name_and_address() -> None:
    targets = [Endpoint("siem", 514, "192.0.2.1"), Endpoint("::1", 514, "::1")]
    assert [str(target) for target in targets] == ["siem:514 at 192.0.2.1", "[::1]:514"]


async def test_a_backup_whose_name_moves_stays_in_use(clock: "Clock") -> None:
    names = Names(siem=["192.0.2.1"], backup=["192.0.2.9"])
    chosen = destinations(names, clock, "siem", "backup")
    first = await settle(chosen)
    assert first is not None
    chosen.failed(first, Cause("refused"))
    await settle(chosen)
    names.answers["backup"] = ["192.0.2.10"]
    for destination in chosen._destinations:
        destination.look_up_at = clock()
    assert await settle(chosen) == Endpoint("backup", 514, "192.0.2.10")
