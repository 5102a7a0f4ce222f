"""A category of ZIA as the target: what is added, removed, left alone, refused and repaired."""

import contextlib

import pytest

from nss.sync import ListRefused, TargetUnfit, Unsettled
from nss.zia import Busy, QuotaExceeded, RequestRefused
from tests.sync.conftest import Bench, names
from tests.sync.organisation import Killed, Organisation, busy, busy_after_all, unreachable


async def test_the_category_is_created_in_chunks_and_activated(bench: Bench) -> None:
    report = await bench.run(*names(range(7)))
    organisation = bench.organisation
    assert organisation.urls == frozenset(names(range(7)))
    assert organisation.category is not None
    assert organisation.category.retaining == organisation.urls
    assert organisation.requests == [3, 3, 1]
    assert (organisation.is_active, organisation.activations) == (True, 1)
    assert (report.run.outcome, report.run.added, report.run.urls) == ("synced", 7, 7)
    assert report.quota_before is not None
    assert report.quota_after is not None
    assert (report.quota_before.used, report.quota_after.used) == (0, 7)


async def test_new_urls_leave_their_parent_category_only_if_wanted(bench: Bench) -> None:
    other = Bench(bench.folder, bench.organisation, retain_parent_category=False)
    await other.run("a.example")
    assert bench.organisation.category is not None
    assert bench.organisation.category.urls == {"a.example"}


async def test_a_second_run_changes_nothing_and_publishes_nothing(bench: Bench) -> None:
    await bench.run("a.example", "b.example")
    bench.organisation.calls.clear()
    bench.organisation.is_active = False  # somebody else is at work on something
    report = await bench.run("b.example", "a.example")
    assert report.run.outcome == "unchanged"
    assert bench.organisation.calls == ["find", "quota"]


async def test_what_people_added_stays_and_is_shown(bench: Bench) -> None:
    bench.organisation.put(["hand.example", "both.example", ".Logz.io"], ["kept.example"])
    await bench.run("both.example", ".logz.io", "c.example", "d.example")
    report = await bench.run("c.example", "d.example")
    assert bench.organisation.urls == {
        "hand.example", "kept.example", "both.example", ".Logz.io", "c.example", "d.example",
    }  # fmt: skip
    assert report.plan.kept == (".Logz.io", "both.example", "hand.example", "kept.example")
    assert report.run.removed == 0


async def test_what_was_added_is_removed_when_it_is_sanctioned_again(bench: Bench) -> None:
    bench.organisation.put(["hand.example"])
    await bench.run(*names(range(8)))
    report = await bench.run(*names(range(2, 8)))
    assert bench.organisation.urls == {"hand.example", *names(range(2, 8))}
    assert (report.run.added, report.run.removed) == (0, 2)


async def test_an_exclusive_list_is_all_that_is_in_the_category(bench: Bench) -> None:
    bench.organisation.put(["hand.example", "a.example"], ["kept.example"])
    other = Bench(bench.folder, bench.organisation, exclusive=True)
    with pytest.raises(ListRefused, match="from 3 to 1"):
        await other.run("a.example")
    await other.run("a.example", allow_shrink=True)
    assert bench.organisation.urls == {"a.example"}


async def test_what_somebody_removed_is_added_again_and_reported(bench: Bench) -> None:
    await bench.run("a.example", "b.example")
    bench.organisation.change(remove=["a.example"])
    report = await bench.run("a.example", "b.example")
    assert report.plan.vanished == ("a.example",)
    assert bench.organisation.urls == {"a.example", "b.example"}


@pytest.mark.parametrize(
    ("kind", "word"),
    [({"url_type": "REGEX"}, "regular expressions"), ({"type_": "TLD_CATEGORY"}, "top-level")],
)
async def test_a_category_of_another_kind_is_refused_with_a_sentence(
    bench: Bench, kind: dict[str, str], word: str
) -> None:
    bench.organisation.put(["a"], **kind)
    with pytest.raises(TargetUnfit, match=word):
        await bench.run("a.example")
    assert bench.organisation.urls == {"a"}
    assert bench.organisation.requests == []


async def test_a_quota_that_would_be_exceeded_changes_nothing_and_names_both_numbers(
    bench: Bench,
) -> None:
    bench.organisation.max_urls = 5
    bench.organisation.put(["hand.example"])
    with pytest.raises(QuotaExceeded, match=r"5 URLs.* 4 more") as refused:
        await bench.run(*names(range(5)))
    assert "nothing was changed" in str(refused.value)
    assert bench.organisation.urls == {"hand.example"}
    assert bench.organisation.requests == []
    history = bench.store.history()
    assert history.last is not None
    assert history.last.outcome == "failed"
    assert "4 more" in (history.last.error or "")


async def test_urls_that_go_make_room_for_those_that_come(bench: Bench) -> None:
    bench.organisation.max_urls = 4
    await bench.run(*names(range(4)))
    await bench.run(*names(range(2, 6)))
    assert bench.organisation.urls == frozenset(names(range(2, 6)))


async def test_an_url_that_zia_does_not_accept_is_set_aside_alone(bench: Bench) -> None:
    bench.organisation.unacceptable = frozenset({"003.example", "008.example"})
    report = await bench.run(*names(range(10)))
    assert bench.organisation.urls == set(names(range(10))) - bench.organisation.unacceptable
    assert {aside.entry for aside in report.set_aside} == bench.organisation.unacceptable
    assert all("ZIA refuses it" in aside.reason for aside in report.set_aside)
    assert (report.run.added, report.run.urls, report.run.set_aside) == (8, 8, 2)
    assert set(report.added) == bench.organisation.urls


async def test_a_refusal_of_everything_ends_before_the_limits_of_the_service(bench: Bench) -> None:
    bench.organisation.unacceptable = frozenset(names(range(200)))
    with pytest.raises(RequestRefused, match="not valid"):
        await bench.run(*names(range(200)))
    assert len(bench.organisation.requests) < 60
    assert bench.organisation.category is None
    assert bench.store.category().claimed == frozenset()


async def test_changes_of_an_earlier_run_are_activated_by_the_next(bench: Bench) -> None:
    bench.organisation.answers_activation = "PENDING"
    with pytest.raises(Unsettled, match="not put it in force"):
        await bench.run("a.example")
    bench.organisation.answers_activation = "ACTIVE"
    report = await bench.run("a.example")
    assert (report.run.outcome, bench.organisation.is_active) == ("unchanged", True)


async def test_somebody_who_removes_at_the_same_time_is_answered_in_the_same_run(
    bench: Bench,
) -> None:
    await bench.run("a.example")

    def interfere(organisation: Organisation) -> None:
        organisation.change(add=["hand.example"], remove=["a.example"])
        organisation.between = lambda _: None

    bench.organisation.between = interfere
    report = await bench.run("a.example", "b.example")
    assert bench.organisation.urls == {"a.example", "b.example", "hand.example"}
    assert report.run.outcome == "synced"
    await bench.run("b.example")
    assert bench.organisation.urls == {"b.example", "hand.example"}


async def test_somebody_who_never_stops_is_named_as_the_reason(bench: Bench) -> None:
    await bench.run("a.example")
    bench.organisation.between = lambda organisation: organisation.change(remove=["a.example"])
    bench.organisation.change(remove=["a.example"])
    organisation = bench.organisation
    add = organisation.add

    async def undone(*args: object, **kwargs: object) -> object:
        found = await add(*args, **kwargs)  # type: ignore[arg-type]  # as they came
        organisation.change(remove=["a.example"])
        return found

    organisation.add = undone  # type: ignore[method-assign, assignment]
    with pytest.raises(Unsettled, match=r"1 missing: a\.example"):
        await bench.run("a.example")


async def test_a_category_that_goes_meanwhile_is_made_again(bench: Bench) -> None:
    await bench.run("a.example")

    def interfere(organisation: Organisation) -> None:
        organisation.categories.clear()
        organisation.between = lambda _: None

    bench.organisation.between = interfere
    await bench.run("a.example", "b.example")
    assert bench.organisation.urls == {"a.example", "b.example"}


async def test_a_category_created_without_an_answer_is_found_and_completed(bench: Bench) -> None:
    bench.organisation.faults[2] = (unreachable, True)
    await bench.run("a.example", "b.example")
    assert bench.organisation.urls == {"a.example", "b.example"}
    await bench.run("b.example")
    assert bench.organisation.urls == {"b.example"}


async def test_a_category_that_somebody_else_creates_first_is_used(bench: Bench) -> None:
    def interfere(organisation: Organisation) -> None:
        organisation.put(["hand.example"])
        organisation.between = lambda _: None

    bench.organisation.between = interfere
    await bench.run("a.example")
    assert bench.organisation.urls == {"a.example", "hand.example"}


async def test_urls_of_another_account_or_category_are_not_ours(bench: Bench) -> None:
    await bench.run("a.example", "b.example")
    bench.account = "there"
    await bench.run("b.example")
    assert bench.organisation.urls == {"a.example", "b.example"}
    bench.organisation.categories.clear()
    bench.organisation.put(["b.example", "c.example"], name="other")
    bench.organisation.put(["b.example", "c.example"])
    await bench.run("c.example")
    assert bench.organisation.urls == {"b.example", "c.example"}


async def test_what_people_removed_and_later_add_themselves_is_theirs(bench: Bench) -> None:
    await bench.run("a.example", "b.example")
    bench.organisation.change(remove=["b.example"])
    await bench.run("a.example")
    bench.organisation.change(add=["b.example"])
    report = await bench.run("a.example")
    assert bench.organisation.urls == {"a.example", "b.example"}
    assert report.plan.kept == ("b.example",)


async def test_what_a_killed_run_never_sent_and_people_add_later_is_theirs(bench: Bench) -> None:
    await bench.run("a.example")

    def die(point: str) -> None:
        if point == "claimed":
            raise Killed

    bench.at = die
    with pytest.raises(Killed):
        await bench.run("a.example", "b.example")
    bench.at = lambda _point: None
    await bench.run("a.example")
    bench.organisation.change(add=["b.example"])
    await bench.run("a.example")
    assert bench.organisation.urls == {"a.example", "b.example"}


async def test_what_was_refused_and_people_add_later_is_theirs(bench: Bench) -> None:
    await bench.run("a.example")
    bench.organisation.faults[len(bench.organisation.calls) + 2] = (busy, False)
    with pytest.raises(Busy):
        await bench.run("a.example", "b.example")
    bench.organisation.change(add=["b.example"])
    await bench.run("a.example")
    assert bench.organisation.urls == {"a.example", "b.example"}


async def test_what_an_attempt_without_an_answer_added_is_ours_and_put_in_force(
    bench: Bench,
) -> None:
    await bench.run("a.example")
    bench.organisation.faults[len(bench.organisation.calls) + 2] = (busy_after_all, True)
    with pytest.raises(Busy):
        await bench.run("a.example", "b.example")
    await bench.run("a.example", "b.example")
    assert bench.organisation.is_active
    await bench.run("a.example")
    assert bench.organisation.urls == {"a.example"}


async def test_more_refused_urls_than_can_be_sought_out_at_once_sink_nothing_in_the_end(
    bench: Bench,
) -> None:
    listed, bad = names(range(260)), names(range(0, 260, 2))
    bench.organisation.unacceptable = frozenset(bad)
    with pytest.raises(Unsettled, match="missing") as unsettled:
        await bench.run(*listed)
    assert "continues with the rest" in (unsettled.value.tip or "")
    assert bench.organisation.urls
    assert bench.organisation.is_active
    for _ in range(3):
        with contextlib.suppress(Unsettled):
            await bench.run(*listed)
    report = await bench.run(*listed)
    assert bench.organisation.urls == set(listed) - set(bad)
    assert {aside.entry for aside in report.set_aside} == set(bad)
    bench.organisation.requests.clear()
    await bench.run("260.example", *listed)
    assert "260.example" in bench.organisation.urls
    assert len(bench.organisation.requests) <= 102
    bench.organisation.unacceptable = frozenset(bad[:2])
    await bench.run("260.example", *listed)
    bench.organisation.unacceptable = frozenset()
    await bench.run("260.example", *listed)
    assert bench.organisation.urls == {"260.example", *listed}
    assert bench.store.category().refused == {}


async def test_a_category_that_takes_none_of_the_urls_is_no_success(bench: Bench) -> None:
    bench.organisation.unacceptable = frozenset(names(range(3)))
    with pytest.raises(RequestRefused, match="none of the 3 URLs"):
        await bench.run(*names(range(3)))


async def test_a_list_that_shrinks_is_refused_although_no_run_has_succeeded_yet(
    bench: Bench,
) -> None:
    bench.organisation.answers_activation = "PENDING"
    with pytest.raises(Unsettled):
        await bench.run(*names(range(8)))
    bench.organisation.answers_activation = "ACTIVE"
    with pytest.raises(ListRefused, match="from 8 to 1"):
        await bench.run("000.example")
    await bench.run(*names(range(8)))
    (bench.store.folder / "state.json").unlink()
    with pytest.raises(ListRefused, match="from 8 to 1"):
        await bench.run("000.example")
    assert bench.organisation.urls == set(names(range(8)))


async def test_what_somebody_adds_between_plan_and_request_is_theirs(bench: Bench) -> None:
    await bench.run("a.example")

    def interfere(organisation: Organisation) -> None:
        organisation.change(add=["z.example"])
        organisation.between = lambda _: None

    bench.organisation.between = interfere
    await bench.run(*names(range(3)), "a.example", "z.example")  # in two requests
    await bench.run(*names(range(3)), "a.example")
    assert "z.example" in bench.organisation.urls


async def test_a_category_that_another_service_creates_first_stays_that_services(
    bench: Bench,
) -> None:
    def interfere(organisation: Organisation) -> None:
        organisation.put(["a.example"])
        organisation.between = lambda _: None

    bench.organisation.between = interfere
    await bench.run("a.example", "b.example")
    await bench.run("b.example")
    assert bench.organisation.urls == {"a.example", "b.example"}


async def test_what_was_removed_and_not_put_in_force_and_people_add_again_is_theirs(
    bench: Bench,
) -> None:
    await bench.run("a.example", "b.example")
    bench.organisation.answers_activation = "PENDING"
    with pytest.raises(Unsettled):
        await bench.run("a.example")
    bench.organisation.answers_activation = "ACTIVE"
    bench.organisation.change(add=["b.example"])
    await bench.run("a.example")
    assert bench.organisation.urls == {"a.example", "b.example"}


async def test_a_removal_that_makes_too_little_room_is_said_and_put_in_force(bench: Bench) -> None:
    await bench.run(*names(range(4)))
    bench.organisation.put(names(range(2)), name="other")  # removing these frees nothing
    bench.organisation.max_urls = 4
    with pytest.raises(QuotaExceeded, match="nothing was added") as refused:
        await bench.run(*names(range(2, 6)))
    assert "nothing was changed" not in str(refused.value)
    assert bench.organisation.urls == set(names(range(2, 4)))
    assert bench.organisation.is_active


async def test_a_removal_that_is_refused_leaves_nothing_to_put_in_force(bench: Bench) -> None:
    await bench.run("a.example", "b.example")
    bench.organisation.faults[len(bench.organisation.calls) + 2] = (busy, False)
    with pytest.raises(Busy):
        await bench.run("a.example")
    activations = bench.organisation.activations
    await bench.run("a.example", "b.example")
    assert bench.organisation.activations == activations
