"""A finalize that is answered with neither a yes nor a no: nothing is lost or doubled for ever."""

from dataclasses import replace
from itertools import pairwise

import pytest

from nss.config.model import McasConfig
from nss.mcas import RequestRefused, Throttled, Unconfirmed
from nss.sinks import Delivered, RetryAfter
from nss.sinks.cloud_discovery.sink import CloudDiscoverySink
from nss.sinks.cloud_discovery.uploader import LOOK_SECS, REPEAT_SECS
from nss.telemetry import events as telemetry
from nss.telemetry.counters import Counter
from tests.sinks.cloud_discovery.bench import (
    DOWN,
    GONE,
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

NEITHER = Unconfirmed("MCAS answered with neither a yes nor a no (https://mcas.example)")
NO = RequestRefused("MCAS refuses the request, ODD: HTTP 200", status=200, code="ODD")
COUNTS = McasConfig(unconfirmed_counts_as_delivered=True)
FOREVER = 500
DAY_SECS = 86_400.0


async def filled(bench: Bench) -> CloudDiscoverySink:
    """Return a sink with three lines to upload."""
    sink = await bench.opened()
    await collect(sink, lines(3))
    return sink


async def steps(sink: CloudDiscoverySink, bench: Bench, secs: float) -> list[tuple[float, str]]:
    """Flush as a feed does for a while; return what was asked when."""
    began_at, found = bench.at, []
    while bench.at - began_at < secs:
        asked = len(bench.service.asked)
        outcome = await sink.flush()
        found += [(bench.at - began_at, step) for step in bench.service.asked[asked:]]
        if isinstance(outcome, Delivered):
            break
        held_until = sink.upload.held_until
        bench.at += outcome.delay_secs if held_until is None else held_until - NOW.timestamp()
    return found


async def test_it_is_repeated_and_a_yes_is_a_yes(bench: Bench) -> None:
    bench.service.fail["finalize"] = [NEITHER]
    sink = await filled(bench)
    outcome = await sink.flush()
    upload = sink.upload
    found = await steps(sink, bench, 60)
    last = sink.upload
    await sink.close()
    assert isinstance(outcome, RetryAfter)
    assert outcome.reason.startswith("upload unconfirmed: MCAS answered with neither a yes nor")
    assert (upload.state, upload.last_confirmed_at) == ("unconfirmed", None)
    assert upload.held_until == NOW.timestamp() + REPEAT_SECS[0]
    assert found == [(REPEAT_SECS[0], "finalize")]
    assert bench.service.received == [file_of(lines(3))]
    assert (last.state, last.last_confirmed_at) == ("collecting", NOW.timestamp())


async def test_it_is_repeated_a_few_times_in_a_day_and_then_only_looked_at(bench: Bench) -> None:
    bench.service.fail["finalize"] = [NEITHER] * FOREVER
    sink = await filled(bench)
    found = await steps(sink, bench, 3 * DAY_SECS)
    state = sink.upload.state
    await sink.close()
    finalized = [at for at, step in found if step == "finalize"]
    pauses = [after - before for before, after in pairwise(finalized)]
    assert pauses == list(REPEAT_SECS)
    assert bench.service.asked.count("initiate") == 1
    assert bench.service.asked.count("put") == 1
    assert state == "unconfirmed"
    looks = [at for at, step in found if step == "streams"]
    assert looks[-1] - looks[-2] == LOOK_SECS


async def test_records_that_come_meanwhile_wait_and_are_not_lost(bench: Bench) -> None:
    bench.service.fail["finalize"] = [NEITHER] * 3
    sink = await filled(bench)
    await sink.flush()
    await collect(sink, lines(2, 3), first=2)
    waiting = sink.collected
    await steps(sink, bench, DAY_SECS)
    await flushed(sink, bench)
    await sink.close()
    assert waiting == 2
    assert bench.service.received == [file_of(lines(3)), file_of(lines(2, 3))]


async def test_status_says_what_the_data_source_received_before_and_after(bench: Bench) -> None:
    before, after = "2026-11-24T06:00:00Z", "2026-11-24T12:00:05Z"
    bench.service.received_at = [None, before, before, after]
    bench.service.fail["finalize"] = [NEITHER] * 4
    sink = await filled(bench)
    errors = []
    for _ in range(4):
        await sink.flush()
        errors.append(f"{sink.last_error}. Try: {sink.remedy}")
        bench.at += LOOK_SECS * 4
    await sink.close()
    seen = [error.partition("; ")[2].partition(". Try: ")[0] for error in errors]
    assert seen == [
        'data source "NSS" received data last: never',
        f'data source "NSS" received data last: {before}, before that: never',
        f'data source "NSS" received data last: {before}, before that: never',
        f'data source "NSS" received data last: {after}, before that: never',
    ]
    assert "unconfirmed_counts_as_delivered in [mcas]" in errors[0]
    assert "sudo nss upload-now" in errors[0]


@pytest.mark.parametrize("received", ["x" * 500, "\x1b[2J"])
async def test_a_time_that_is_none_is_not_shown_as_it_is(bench: Bench, received: str) -> None:
    bench.service.received_at = [received]
    bench.service.fail["finalize"] = [NEITHER]
    sink = await filled(bench)
    await sink.flush()
    error = str(sink.last_error)
    await sink.close()
    assert error.isprintable()
    assert received not in error


@pytest.mark.parametrize("error", [DOWN, NO, Throttled("slower", "MCAS", retry_after_secs=35)])
async def test_a_data_source_that_can_not_be_looked_at_changes_nothing(
    bench: Bench, error: RequestRefused
) -> None:
    bench.service.fail["finalize"] = [NEITHER]
    bench.service.fail["streams"] = [error]
    sink = await filled(bench)
    await sink.flush()
    said = str(sink.last_error)
    found = await steps(sink, bench, 60)
    await sink.close()
    assert 'what data source "NSS" has received is not known' in said
    assert found == [(REPEAT_SECS[0], "finalize")]


async def test_with_the_setting_it_counts_at_once_and_status_says_so(
    bench: Bench, happened: Happened
) -> None:
    bench.mcas = COUNTS
    bench.service.fail["finalize"] = [NEITHER]
    sink = await filled(bench)
    outcome = await sink.flush()
    upload, advice = sink.upload, sink.advice
    await collect(sink, lines(2, 3), first=2)
    await sink.flush()
    await sink.close()
    assert outcome == Delivered()
    assert (upload.unconfirmed, upload.last_confirmed_at) == (1, None)
    assert advice is not None
    assert "MCAS did not confirm the last file" in advice
    assert sink.advice is None
    assert happened()[0] == ("upload_unconfirmed", {"why": NEITHER.sentence, "counts": True})
    assert bench.service.asked == [*STEPS, *STEPS]


async def test_setting_it_later_ends_the_wait_without_another_finalize(bench: Bench) -> None:
    bench.service.fail["finalize"] = [NEITHER]
    sink = await filled(bench)
    await sink.flush()
    await sink.close()
    asked = len(bench.service.asked)
    bench.mcas = COUNTS
    sink = await bench.opened()  # as a reload builds it
    first = await sink.flush()
    await collect(sink, lines(3), lines(2, 3))
    await sink.flush()
    await sink.close()
    assert first == Delivered()
    assert bench.service.asked[asked:] == list(STEPS)
    assert bench.service.put_at["https://storage.example/2?sig=private"] == file_of(lines(2, 3))


async def test_the_next_process_repeats_it_and_does_not_upload_again(bench: Bench) -> None:
    bench.service.fail["finalize"] = [NEITHER] * 2
    killed = await filled(bench)
    await killed.flush()
    await killed.close()
    sink = await bench.opened()
    first = await sink.flush()
    state = sink.upload.state
    bench.at += REPEAT_SECS[0]
    second = await sink.flush()
    await collect(sink, lines(3))
    await sink.flush()
    await sink.close()
    assert (type(first), state, second) == (RetryAfter, "unconfirmed", Delivered())
    assert bench.service.asked.count("put") == 1


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("refusal", [GONE, NO])
async def test_a_refusal_after_it_leaves_it_open_and_doubles_nothing(
    bench: Bench, refusal: RequestRefused, *, restart: bool
) -> None:
    """The 200 may have been the yes, and the refusal may mean that it was done before."""
    bench.service.fail["finalize"] = [NEITHER, *[refusal] * FOREVER]
    sink = await filled(bench)
    await sink.flush()
    if restart:
        await sink.close()
        sink = await bench.opened()
        await collect(sink, lines(3))
    await steps(sink, bench, 3 * DAY_SECS)
    upload, said = sink.upload, str(sink.last_error)
    await sink.close()
    assert bench.service.asked.count("put") == 1
    assert bench.service.asked.count("finalize") == 2
    assert upload.state == "unconfirmed"
    assert said.startswith("upload unconfirmed: MCAS ")


@pytest.mark.parametrize("restart", [False, True])
async def test_an_operator_has_it_uploaded_again(bench: Bench, *, restart: bool) -> None:
    bench.service.fail["finalize"] = [NEITHER, GONE]
    sink = await filled(bench)
    await sink.flush()
    if restart:
        await sink.close()
        sink = await bench.opened()
        await collect(sink, lines(3))
    else:
        bench.at += REPEAT_SECS[0]
    await sink.flush()
    sink.retry()
    kept = await sink.flush()
    sink.retry(again=True)
    outcome = await sink.flush()
    await sink.close()
    assert (type(kept), outcome) == (RetryAfter, Delivered())
    assert bench.service.asked.count("put") == 2
    assert bench.service.received == [file_of(lines(3))]


async def test_an_operator_has_the_finalize_repeated_while_it_can_be(bench: Bench) -> None:
    bench.service.fail["finalize"] = [NEITHER] * (len(REPEAT_SECS) + 1)
    sink = await filled(bench)
    await steps(sink, bench, 3 * DAY_SECS)
    sink.retry(again=True)
    outcome = await sink.flush()
    await sink.close()
    assert outcome == Delivered()
    assert bench.service.asked.count("put") == 1


async def test_an_unknown_data_source_is_a_refusal_also_after_it(bench: Bench) -> None:
    bench.service.fail["finalize"] = [NEITHER, NO_SOURCE]
    sink = await filled(bench)
    await sink.flush()
    bench.at += REPEAT_SECS[0]
    await sink.flush()
    said = str(sink.last_error)
    await flushed(sink, bench)
    await sink.close()
    assert said.startswith("upload failed: MCAS knows no data source of that name")
    assert bench.service.asked.count("put") == 1


async def test_a_no_at_200_is_refused_and_the_file_is_uploaded_again(bench: Bench) -> None:
    bench.service.fail["finalize"] = [NO, NO]
    sink = await filled(bench)
    first = await sink.flush()
    await flushed(sink, bench)
    await sink.close()
    assert isinstance(first, RetryAfter)
    assert first.reason == "upload failed: MCAS refuses the request, ODD: HTTP 200"
    assert bench.service.received == [file_of(lines(3))]
    assert bench.service.asked.count("put") == 2


async def test_other_credentials_allow_the_repeats_anew(bench: Bench) -> None:
    bench.service.fail["finalize"] = [NEITHER] * (len(REPEAT_SECS) + 1)
    sink = await filled(bench)
    await steps(sink, bench, 3 * DAY_SECS)
    bench.credentials += 1
    bench.service = replace(bench.service)
    outcome = await sink.flush()
    await sink.close()
    assert outcome == Delivered()
    assert bench.service.asked.count("put") == 1


async def test_an_upload_url_that_was_given_before_is_not_put_to_again(bench: Bench) -> None:
    """It would replace a file that counts as delivered."""
    sink = await filled(bench)
    await sink.flush()
    await collect(sink, lines(2, 3), first=2)
    bench.service.names.clear()  # and with that, the first URL comes again
    outcome = await sink.flush()
    assert isinstance(outcome, RetryAfter)
    assert outcome.reason == "upload failed: MCAS gave the upload URL of the file before"
    await flushed(sink, bench)
    await sink.close()
    assert bench.service.received == [file_of(lines(3)), file_of(lines(2, 3))]


async def test_other_credentials_repeat_it_at_once(bench: Bench) -> None:
    bench.service.fail["finalize"] = [NEITHER] * 2
    sink = await filled(bench)
    await sink.flush()
    bench.credentials += 1
    await sink.flush()
    finalized = bench.service.asked.count("finalize")
    bench.service = replace(bench.service)
    bench.credentials += 1
    outcome = await sink.flush()
    await sink.close()
    assert (finalized, outcome) == (2, Delivered())
    assert bench.service.asked.count("put") == 1


async def test_it_is_counted_with_each_answer(bench: Bench, happened: Happened) -> None:
    key = (str(Counter.UPLOADS_UNCONFIRMED), "mcas")
    before = telemetry.counters.get(key, 0)
    bench.service.fail["finalize"] = [NEITHER, GONE]
    sink = await filled(bench)
    await steps(sink, bench, DAY_SECS)
    await sink.close()
    assert telemetry.counters[key] - before == 2
    assert happened() == [("upload_unconfirmed", {"why": NEITHER.sentence, "counts": False})]
