"""Members of a group share its partitions: nothing is lost, and nothing is committed back."""

from collections import Counter

import pytest

from tests.kafka.mocked import Cluster
from tests.sources.kafka.rig import (
    Spool,
    Watch,
    instance,
    onlooker,
    repeated_if_evicted,
    sender,
    until,
)

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

ALL = (0, 1, 2, 3)


def _all(*spools: Spool) -> dict[int, list[int]]:
    """Return the numbers of each partition in all spools, sorted."""
    found = Counter[tuple[int, int]]()
    for spool in spools:
        for partition, numbers in spool.of_partitions().items():
            found.update((partition, number) for number in numbers)
    ordered: dict[int, list[int]] = {}
    for partition, number in sorted(found.elements()):
        ordered.setdefault(partition, []).append(number)
    return ordered


def _is_ordered(spool: Spool) -> bool:
    return all(sorted(each) == each for each in spool.of_partitions().values())


@pytest.mark.parametrize("commit", ["accepted", "delivered"])
@repeated_if_evicted
async def test_members_come_and_go_and_each_record_arrives_once(
    cluster: Cluster, commit: str
) -> None:
    cluster.create("web", 4)
    one, two = Spool(), Spool()
    with sender(cluster.address) as sent, onlooker(cluster.address, 4) as group:
        async with instance(cluster.address, one, commit=commit) as first:
            sent.send(100, *ALL)
            await first.until_lines(400)
            one.pass_all()
            await group.until({("web", number): 100 for number in ALL})
            async with instance(cluster.address, two, commit=commit) as second:
                await first.until_owned(2)
                await second.until_owned(2)
                sent.send(100, *ALL)
                await until(lambda: len(one.lines) + len(two.lines) == 800)
                one.pass_all()
                two.pass_all()
                await group.until({("web", number): 200 for number in ALL})
            await first.until_owned(4)
            sent.send(100, *ALL)
            await until(lambda: len(one.lines) + len(two.lines) == 1200)
            one.pass_all()
            await group.until({("web", number): 300 for number in ALL})
    assert _all(one, two) == sent.partitions
    assert _is_ordered(one)
    assert _is_ordered(two)


@repeated_if_evicted
async def test_what_is_on_its_way_is_finished_before_a_partition_moves(cluster: Cluster) -> None:
    cluster.create("web", 4)
    one, two = Spool(), Spool()
    one.open.clear()
    with sender(cluster.address) as sent:
        async with instance(cluster.address, one, revoke_secs=30) as first:
            await first.until_owned(4)
            sent.send(100, *ALL)
            await until(lambda: one.waiting)
            async with instance(cluster.address, two, revoke_secs=30) as second:
                await until(lambda: second.source.group.rebalances)  # as yet without partitions
                one.open.set()
                await second.until_owned(2)
                await until(lambda: len(one.lines) + len(two.lines) >= 400)
    assert _all(one, two) == sent.partitions


@repeated_if_evicted
async def test_what_is_not_accepted_in_time_is_read_by_the_other(cluster: Cluster) -> None:
    cluster.create("web", 4)
    one, two = Spool(), Spool()
    one.open.clear()
    with sender(cluster.address) as sent:
        async with instance(cluster.address, one, revoke_secs=0.5) as first:
            await first.until_owned(4)
            sent.send(100, *ALL)
            await until(lambda: one.waiting)
            async with instance(cluster.address, two, revoke_secs=0.5) as second:
                await second.until_owned(2)  # though the first one's spool is shut all the time
                await second.until_lines(200)
                assert one.batches == []
                one.open.set()
                await first.until_lines(200)
    assert _all(one, two) == sent.partitions
    assert _is_ordered(one)


@repeated_if_evicted
async def test_a_partition_that_moved_undelivered_is_never_committed_back(
    cluster: Cluster,
) -> None:
    cluster.create("web", 4)
    one, two = Spool(), Spool()
    end = {("web", number): 100 for number in ALL}
    with (
        sender(cluster.address) as sent,
        onlooker(cluster.address, 4) as group,
        onlooker(cluster.address, 4) as watching,
        Watch(watching, lambda: end) as watch,
    ):
        async with instance(cluster.address, one, commit="delivered", revoke_secs=0.2) as first:
            sent.send(50, *ALL)
            await first.until_lines(200)
            async with instance(
                cluster.address, two, commit="delivered", revoke_secs=0.2
            ) as second:
                await second.until_owned(2)
                sent.send(50, *ALL)
                await second.until_lines(200)
                two.pass_all()
                moved = two.offsets()
                await group.until(moved)
                assert set(moved.values()) == {100}
                await first.until_lines(300)
                one.pass_all()  # of the partitions that moved the first 50
                await group.until(end)
    assert not watch.back
    assert not watch.beyond
    # Nothing is lost; twice is what had not been passed when the partitions moved.
    assert {key: sorted(set(found)) for key, found in _all(one, two).items()} == sent.partitions
    assert len(one.lines) + len(two.lines) == 500


@repeated_if_evicted
async def test_a_member_that_is_gone_is_replaced(cluster: Cluster) -> None:
    cluster.create("web", 4)
    one, two = Spool(), Spool()
    with sender(cluster.address) as sent:
        async with instance(cluster.address, one) as first:
            sent.send(100, *ALL)
            await first.until_lines(400)
            async with instance(cluster.address, two) as second:
                await second.until_owned(2)
                await first.stop()
                await second.until_owned(4)
                sent.send(100, *ALL)
                await second.until_lines(400)
    assert _all(one, two) == sent.partitions


@repeated_if_evicted
async def test_a_partition_that_went_while_it_was_paused_is_read_again(cluster: Cluster) -> None:
    cluster.create("web", 4)
    one, two = Spool(), Spool()
    with sender(cluster.address) as sent:
        async with instance(cluster.address, one, commit="delivered", revoke_secs=0.2) as first:
            await first.until_owned(4)
            one.open.clear()
            sent.send(1, *ALL)
            await until(lambda: one.waiting)
            sent.send(99, *ALL, pad=b"." * 8000)  # more than a batch
            await first.until_paused()
            async with instance(cluster.address, two) as second:
                await second.until_owned(2)
                await second.until_lines(200)
                one.open.set()
                await first.until_lines(200)
            await first.until_owned(4)
            sent.send(100, *ALL)
            await first.until_lines(600)
    assert _all(one, two) == sent.partitions
