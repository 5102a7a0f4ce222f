"""What holds an upload and until when: refusals, pauses that services ask for, and their ends."""

from itertools import pairwise

import pytest

from nss.config.model import McasConfig
from nss.config.stored import StoredError
from nss.mcas import McasError, RequestRefused, SignInRefused, Throttled
from nss.mcas.api_errors import MAX_WAIT_SECS
from nss.sinks import Delivered, RetryAfter
from nss.sinks.cloud_discovery.holds import FIRST_PAUSE_SECS, RECHECK_SECS, STOPPED_AFTER
from nss.sinks.cloud_discovery.sink import CloudDiscoverySink
from tests.sinks.cloud_discovery.bench import (
    DOWN,
    GONE,
    NO_ROLE,
    NO_SOURCE,
    NOW,
    STEPS,
    Bench,
    Happened,
    collect,
    file_of,
    flushed,
    lines,
)

REFUSALS = [
    NO_ROLE,
    NO_SOURCE,
    SignInRefused("the Client Secret has expired", code="AADSTS7000222"),
    SignInRefused("the clock of this machine is ahead", field="clock"),
]
ODD = [
    *(RequestRefused(f"odd: HTTP {status}", status=status) for status in (301, 400, 403, 404)),
    *(RequestRefused(f"odd: HTTP {status}", status=status) for status in (401, 409, 411, 412)),
    SignInRefused("the clock of this machine is ahead", field="clock"),
]


async def filled(bench: Bench) -> CloudDiscoverySink:
    """Return a sink with three lines to upload."""
    sink = await bench.opened()
    await collect(sink, lines(3))
    return sink


async def tries(sink: CloudDiscoverySink, bench: Bench, secs: float) -> list[float]:
    """Flush every second for a while, as a feed does; return when something was asked."""
    began_at, found = bench.at, []
    while bench.at - began_at < secs:
        asked = len(bench.service.asked)
        outcome = await sink.flush()
        if len(bench.service.asked) > asked:
            found.append(bench.at - began_at)
        if isinstance(outcome, Delivered):
            break
        bench.at += outcome.delay_secs
    return found


# Refusals.


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("odd", ODD, ids=str)
async def test_an_odd_answer_costs_two_seconds(bench: Bench, step: str, odd: McasError) -> None:
    bench.service.fail[step] = [odd]
    sink = await filled(bench)
    times = await tries(sink, bench, 60)
    await sink.close()
    assert times == [0, FIRST_PAUSE_SECS]
    assert bench.service.received == [file_of(lines(3))]
    assert bench.audited() == []


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: str(refusal.field))
async def test_the_same_refusal_again_and_again_stops_it_until_the_credentials_change(
    bench: Bench, step: str, refusal: McasError
) -> None:
    bench.service.fail[step] = [refusal] * STOPPED_AFTER
    sink = await filled(bench)
    times = await tries(sink, bench, 64)
    state = sink.upload.state
    bench.at += 50
    asked = len(bench.service.asked)
    again = await sink.flush()
    asked_meanwhile = len(bench.service.asked) - asked
    bench.credentials += 1
    last = await sink.flush()
    await sink.close()
    sentence = str(refusal).replace("\nTry: ", ". Try: ")
    assert (times, state) == ([0, 2, 6, 14, 30, 62], "stopped")
    assert again == RetryAfter(0, 1.0, f"upload stopped: {sentence}")
    assert (asked_meanwhile, last) == (0, Delivered())
    assert bench.service.received == [file_of(lines(3))]
    code = {} if refusal.code is None else {"code": refusal.code}
    about = {"action": "upload", "feed": "mcas"}
    assert bench.audited() == [
        {**about, "outcome": "stopped", "reason": f"upload stopped: {sentence}", **code},
        {**about, "outcome": "resumed", "reason": ""},
    ]


async def test_pauses_grow_to_a_quarter_of_an_hour_and_a_portal_that_was_mended_is_noticed(
    bench: Bench,
) -> None:
    bench.service.fail["initiate"] = [NO_ROLE] * 12
    sink = await filled(bench)
    times = await tries(sink, bench, 10_000)
    await sink.close()
    pauses = [after - before for before, after in pairwise(times)]
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, *[RECHECK_SECS] * 3]
    assert [entry["outcome"] for entry in bench.audited()] == ["stopped", "resumed"]


async def test_refusals_that_differ_do_not_stop_it_and_are_not_asked_more_often(
    bench: Bench,
) -> None:
    bench.service.fail["initiate"] = [NO_ROLE, NO_SOURCE] * 4
    sink = await filled(bench)
    times = await tries(sink, bench, 1000)
    await sink.close()
    assert times == [0, 2, 6, 14, 30, 62, 126, 254, 510]
    assert bench.audited() == []


async def test_a_try_that_worked_makes_pauses_short_again(bench: Bench) -> None:
    bench.service.fail["initiate"] = [NO_ROLE] * 4
    sink = await filled(bench)
    await tries(sink, bench, 60)
    await collect(sink, lines(2, 3), first=2)
    bench.service.fail["initiate"] = [NO_ROLE]
    times = await tries(sink, bench, 60)
    await sink.close()
    assert times == [0, 2]


async def test_what_needs_no_answer_stops_it_at_once(bench: Bench) -> None:
    async def missing() -> object:
        raise SignInRefused("there are no credentials for MCAS")

    sink = await filled(bench)
    bench.api = missing  # type: ignore[method-assign, assignment]
    await sink.flush()
    state, held_until = sink.upload.state, sink.upload.held_until
    del bench.api
    bench.credentials += 1
    last = await sink.flush()
    await sink.close()
    assert (state, held_until) == ("stopped", NOW.timestamp() + FIRST_PAUSE_SECS)
    assert last == Delivered()


async def test_credentials_that_could_not_be_read_for_a_moment_cost_seconds(bench: Bench) -> None:
    """A disk that fails once, or too many open files: the file does not change."""
    api, left = bench.api, 2

    async def failing() -> object:
        nonlocal left
        left -= 1
        if left >= 0:
            raise StoredError("/var/lib/nss/mcas.json: can't be read: too many open files")
        return await api()

    sink = await filled(bench)
    bench.api = failing  # type: ignore[method-assign, assignment]
    began_at = bench.at
    outcomes = await flushed(sink, bench)
    await sink.close()
    assert (outcomes[-1], bench.at - began_at) == (Delivered(), 3 * FIRST_PAUSE_SECS)


async def test_a_storage_that_refuses_a_url_gets_another(bench: Bench) -> None:
    bench.service.fail["put"] = [RequestRefused("HTTP 409, BlobAlreadyExists", status=409)]
    sink = await filled(bench)
    await tries(sink, bench, 10)
    await sink.close()
    assert bench.service.asked == ["initiate", "put", *STEPS]


async def test_a_failure_says_what_to_try(bench: Bench) -> None:
    bench.service.fail["initiate"] = [NO_ROLE]
    sink = await filled(bench)
    outcome = await sink.flush()
    state, held_until = sink.upload.state, sink.upload.held_until
    await sink.close()
    reason = "upload failed: MCAS does not permit it: HTTP 403. Try: consent"
    assert outcome == RetryAfter(0, 1.0, reason)
    assert (state, held_until) == ("failing", NOW.timestamp() + FIRST_PAUSE_SECS)


# Pauses that services ask for.


@pytest.mark.parametrize(
    ("asked", "waited"),
    [(35.0, 35.0), (None, 5.0), (0.0, 0.25), (0.1, 0.25), (3600.0, 600.0), (MAX_WAIT_SECS, 600.0)],
)
@pytest.mark.parametrize("by", ["MCAS", "the storage", "Entra"])
async def test_a_pause_is_as_long_as_asked_for_up_to_the_limit(
    bench: Bench, asked: float | None, waited: float, by: str
) -> None:
    error = Throttled("slower", by, retry_after_secs=asked)  # type: ignore[arg-type]
    bench.service.fail["finalize"] = [error]
    sink = await filled(bench)
    await sink.flush()
    upload = sink.upload
    times = await tries(sink, bench, 1000)
    await sink.close()
    assert times == [waited]
    assert (upload.state, upload.held_until) == ("held", NOW.timestamp() + waited)
    assert bench.held == ([waited] if by == "MCAS" else [])
    assert bench.service.received == [file_of(lines(3))]


async def test_the_limit_is_a_setting(bench: Bench) -> None:
    bench.mcas = McasConfig(max_retry_after_secs=60)
    bench.service.fail["initiate"] = [Throttled("slower", "MCAS", retry_after_secs=86_400)]
    sink = await filled(bench)
    times = await tries(sink, bench, 1000)
    await sink.close()
    assert times == [0, 60]


@pytest.mark.parametrize("by", ["the storage", "Entra"])
async def test_a_pause_of_the_storage_or_of_entra_holds_no_other_feed(
    bench: Bench, by: str
) -> None:
    bench.service.fail["put"] = [Throttled("slower", by, retry_after_secs=600)]  # type: ignore[arg-type]
    held, other = await filled(bench), await filled(bench)
    await held.flush()
    outcome = await other.flush()
    state = held.upload.state
    await held.close()
    await other.close()
    assert (outcome, state) == (Delivered(), "held")


async def test_a_pause_of_mcas_holds_all_feeds_and_each_says_so(bench: Bench) -> None:
    bench.service.fail["initiate"] = [Throttled("slower", "MCAS", retry_after_secs=300)]
    first, other = await filled(bench), await filled(bench)
    await first.flush()
    outcome = await other.flush()
    upload = other.upload
    await first.close()
    await other.close()
    assert outcome == RetryAfter(0, 1.0, "upload held: MCAS asks for fewer requests")
    assert (upload.state, upload.held_until) == ("held", NOW.timestamp() + 300)


@pytest.mark.parametrize("end", ["credentials", "retry"])
@pytest.mark.parametrize("by", ["MCAS", "the storage", "Entra"])
async def test_new_credentials_and_an_operator_end_a_pause(bench: Bench, by: str, end: str) -> None:
    bench.service.fail["initiate"] = [Throttled("slower", by, retry_after_secs=600)]  # type: ignore[arg-type]
    sink = await filled(bench)
    await sink.flush()
    before = await sink.flush()
    if end == "credentials":
        bench.credentials += 1
    else:
        sink.retry()
    after = await sink.flush()
    await sink.close()
    assert (type(before), after) == (RetryAfter, Delivered())
    assert sink.upload.held_until is None


async def test_an_operator_ends_a_stop_and_it_is_audited_once(bench: Bench) -> None:
    bench.service.fail["initiate"] = [NO_ROLE] * (STOPPED_AFTER * 2)
    sink = await filled(bench)
    await tries(sink, bench, 64)
    sink.retry()
    state = sink.upload.state
    times = await tries(sink, bench, 70)
    await sink.close()
    assert state == "failing"
    assert times == [0, 2, 6, 14, 30, 62]
    assert [entry["outcome"] for entry in bench.audited()] == ["stopped"]


# What status shows.


async def test_status_shows_what_is_due_and_what_was_confirmed(bench: Bench) -> None:
    now = NOW.timestamp()
    sink = await bench.opened()
    nothing = sink.upload
    await collect(sink, lines(3))
    bench.at += 100
    collecting = sink.upload
    await flushed(sink, bench)
    done = sink.upload
    await sink.close()
    assert (nothing.state, nothing.last_confirmed_at, nothing.next_due_at) == (
        *("collecting", None, None),
    )
    assert (collecting.state, collecting.next_due_at) == ("collecting", now + 200)
    assert (done.state, done.last_confirmed_at, done.next_due_at) == ("collecting", now, None)
    assert done.held_until is None


async def test_a_file_that_waits_is_being_uploaded_and_one_that_failed_fails(bench: Bench) -> None:
    states = []
    sink = await filled(bench)
    bench.service.on_step = lambda: states.append(sink.upload.state)
    bench.service.fail["put"] = [DOWN]
    await flushed(sink, bench)
    await sink.close()
    assert states == ["uploading", "uploading", "failing", "failing"]


async def test_no_refused_file_counts_as_confirmed(bench: Bench) -> None:
    bench.service.fail["finalize"] = [GONE]
    sink = await filled(bench)
    await sink.flush()
    upload = sink.upload
    await sink.close()
    assert (upload.last_confirmed_at, upload.unconfirmed) == (None, 0)


async def test_a_stop_is_an_event_and_failures_before_it_are_logged_once(
    bench: Bench, happened: Happened
) -> None:
    bench.service.fail["initiate"] = [NO_ROLE] * STOPPED_AFTER
    sink = await filled(bench)
    await tries(sink, bench, 200)
    await sink.close()
    names = [name for name, _ in happened()]
    assert names == ["upload_failed", "upload_stopped", "upload_done", "upload_recovered"]
