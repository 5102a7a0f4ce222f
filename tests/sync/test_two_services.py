"""Two services, each with a state directory of its own, and one category."""

import pytest

from tests.sync.conftest import Bench

FIRST = ("a.example", "b.example", "both.example")
SECOND = ("both.example", "c.example", "d.example")


@pytest.fixture
def second(bench: Bench) -> Bench:
    """The other service; `bench` is the first, whose list comes into the category first."""
    (bench.folder / "second").mkdir()
    return Bench(bench.folder / "second", bench.organisation)


async def test_with_different_lists_the_category_has_the_urls_of_both(
    bench: Bench, second: Bench
) -> None:
    await bench.run(*FIRST)
    report = await second.run(*SECOND)
    assert (report.run.added, report.run.removed) == (2, 0)
    assert report.plan.kept == ("a.example", "b.example")
    published = bench.organisation.activations
    for _ in range(3):
        for service, wanted in ((bench, FIRST), (second, SECOND)):
            report = await service.run(*wanted)
            assert report.run.outcome == "unchanged"
            assert report.plan.vanished == ()
    assert bench.organisation.urls == {*FIRST, *SECOND}
    assert bench.organisation.activations == published


async def test_with_the_same_list_only_the_first_changes_anything(
    bench: Bench, second: Bench
) -> None:
    await bench.run(*FIRST)
    for service in (second, bench, second):
        assert (await service.run(*FIRST)).run.outcome == "unchanged"
    assert bench.organisation.activations == 1


async def test_what_the_one_drops_is_added_again_by_the_other_which_reports_it(
    bench: Bench, second: Bench
) -> None:
    await bench.run(*FIRST)
    await second.run(*SECOND)

    report = await bench.run("a.example", "b.example")
    assert (report.run.added, report.run.removed) == (0, 1)
    assert "both.example" not in bench.organisation.urls
    report = await second.run(*SECOND)
    assert (report.run.added, report.run.removed) == (1, 0)
    assert report.plan.vanished == ("both.example",)

    # From now on it is the second's: the first leaves it alone, and so it stays.
    for service, wanted in (
        (bench, FIRST[:2]),
        (second, SECOND),
        (bench, FIRST),
        (bench, FIRST[:2]),
    ):
        report = await service.run(*wanted)
        assert (report.run.outcome, report.plan.vanished) == ("unchanged", ())
    report = await second.run("c.example", "d.example")
    assert report.run.removed == 1
    assert bench.organisation.urls == {"a.example", "b.example", "c.example", "d.example"}


async def test_with_the_same_list_from_the_start_a_drop_is_reported_too(
    bench: Bench, second: Bench
) -> None:
    """The second has never added anything itself."""
    await bench.run(*FIRST)
    await second.run(*FIRST)
    await bench.run("a.example", "b.example")
    report = await second.run(*FIRST)
    assert report.plan.vanished == ("both.example",)
    assert bench.organisation.urls == set(FIRST)


async def test_what_people_added_and_removed_is_added_again_and_reported(bench: Bench) -> None:
    bench.organisation.put(["hand.example"])
    await bench.run("a.example", "hand.example")
    bench.organisation.change(remove=["hand.example"])
    preview = await bench.wants("a.example", "hand.example").sync.preview()
    assert preview.plan.vanished == ("hand.example",)
    report = await bench.run("a.example", "hand.example")
    assert report.plan.vanished == ("hand.example",)
    assert (await bench.run("a.example", "hand.example")).plan.vanished == ()


async def test_one_exclusive_list_wins_and_the_other_reports_what_it_adds_again(
    bench: Bench, second: Bench
) -> None:
    """That is why at most one may be exclusive, and none of two is the default."""
    exclusive = Bench(bench.folder, bench.organisation, exclusive=True)
    await second.run(*SECOND)
    report = await exclusive.run(*FIRST)
    assert bench.organisation.urls == set(FIRST)
    assert (report.run.added, report.run.removed) == (2, 2)
    report = await second.run(*SECOND)
    assert report.plan.vanished == ("c.example", "d.example")
