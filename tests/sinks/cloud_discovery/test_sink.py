"""The upload sink against a service written down by hand: every step fails in every way.

What the real clients and servers do to each other is in tests/mcas and tests/integration.
"""

import asyncio
import gzip
from collections.abc import Callable
from datetime import timedelta

import pytest

from formats.lines import Lines
from nss.errors import NssError
from nss.mcas import UploadExpired
from nss.mcas.access import UPLOADS_NAME
from nss.sinks import Delivered, Rejected, RetryAfter
from tests.parts import cloud_discovery_sink
from tests.sinks.cloud_discovery.bench import (
    DOWN,
    GONE,
    NO_ROLE,
    NOW,
    STEPS,
    Bench,
    Service,
    collect,
    file_of,
    flushed,
    lines,
)


async def test_batches_go_up_as_one_file_once_it_is_due(bench: Bench) -> None:
    sink = await bench.opened()
    await collect(sink, lines(3), lines(2, 3))
    before = (sink.collected, sink.due_secs(), list(bench.service.asked))
    outcome = await sink.flush()
    after = (sink.collected, sink.due_secs(), bench.service.asked)
    await sink.close()
    assert [before, outcome, after] == [(5, 300, []), Delivered(), (0, None, list(STEPS))]
    assert bench.service.received == [file_of(lines(5))]
    assert list(bench.service.finalized.values()) == ["NSS"]
    assert bench.service.names == [("mcas-20261124T120000-1.log", "ZSCALER_QRADAR_SYSLOG")]


async def test_files_follow_each_other(bench: Bench) -> None:
    sink = await bench.opened()
    await collect(sink, lines(3))
    await sink.flush()
    await collect(sink, lines(2, 3), first=2)
    await sink.flush()
    await sink.close()
    assert bench.service.received == [file_of(lines(3)), file_of(lines(2, 3))]
    assert [name for name, _ in bench.service.names] == [
        *("mcas-20261124T120000-1.log", "mcas-20261124T120000-2.log")
    ]


async def test_lines_that_come_during_an_upload_are_of_the_next_file(bench: Bench) -> None:
    sink = await bench.opened()
    await collect(sink, lines(3))
    bench.service.fail["put"] = [DOWN]
    await sink.flush()
    await collect(sink, lines(2, 3), first=2)
    outcomes = [await sink.flush(), await sink.flush()]
    await sink.close()
    assert outcomes == [Delivered(), Delivered()]
    assert bench.service.received == [file_of(lines(3)), file_of(lines(2, 3))]


async def test_files_are_compressed_if_wanted(bench: Bench) -> None:
    bench.options["gzip"] = True
    sink = await bench.opened()
    await collect(sink, lines(100))
    await sink.flush()
    await sink.close()
    assert gzip.decompress(bench.service.received[0]) == file_of(lines(100))
    assert bench.service.names[0][0] == "mcas-20261124T120000-1.log.gz"


async def test_a_flush_of_nothing_asks_for_nothing(bench: Bench) -> None:
    sink = await bench.opened()
    assert await sink.flush() == Delivered()
    await sink.close()
    assert bench.service.asked == []


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", [DOWN, OSError(5, "Input/output error")])
async def test_a_step_that_fails_is_tried_again_at_the_same_url(
    bench: Bench, step: str, error: NssError | OSError
) -> None:
    bench.service.fail[step] = [error, error]
    sink = await bench.opened()
    await collect(sink, lines(3))
    outcomes = await flushed(sink, bench)
    error_after = sink.last_error
    await sink.close()
    assert [type(outcome) for outcome in outcomes] == [RetryAfter, RetryAfter, Delivered]
    assert bench.service.asked == [
        *STEPS[: STEPS.index(step)],
        *(step, step),
        *STEPS[STEPS.index(step) :],
    ]
    assert bench.service.received == [file_of(lines(3))]
    assert error_after is None


@pytest.mark.parametrize("step", STEPS)
async def test_an_answer_that_is_lost_doubles_nothing(bench: Bench, step: str) -> None:
    bench.service.fail_after[step] = [DOWN]
    sink = await bench.opened()
    await collect(sink, lines(3))
    await flushed(sink, bench)
    await sink.close()
    assert bench.service.received == [file_of(lines(3))]


async def test_delays_grow_while_it_fails_and_the_reason_is_reported(bench: Bench) -> None:
    bench.service.fail["put"] = [DOWN] * 4
    sink = await bench.opened()
    await collect(sink, lines(3))
    outcomes = await flushed(sink, bench)
    await sink.close()
    reason = "upload failed: the connection broke off (https://mcas.example)"
    assert outcomes == [*(RetryAfter(0, secs, reason) for secs in (0.25, 0.5, 1, 2)), Delivered()]


async def test_an_upload_url_that_expired_is_asked_for_anew(bench: Bench) -> None:
    expired = UploadExpired("the upload URL is not valid any more: HTTP 403")
    bench.service.fail["put"] = [expired]
    sink = await bench.opened()
    await collect(sink, lines(3))
    outcomes = await flushed(sink, bench)
    await sink.close()
    assert outcomes == [Delivered()]
    assert bench.service.asked == ["initiate", "put", *STEPS]
    assert bench.service.received == [file_of(lines(3))]


async def test_urls_that_always_expire_are_not_asked_for_without_end(bench: Bench) -> None:
    expired = UploadExpired("the upload URL is not valid any more: HTTP 403")
    bench.service.fail["put"] = [expired] * 3
    sink = await bench.opened()
    await collect(sink, lines(3))
    outcome = await sink.flush()
    await sink.close()
    assert isinstance(outcome, RetryAfter)
    assert bench.service.asked == ["initiate", "put"] * 3


async def test_a_finalize_that_may_have_been_done_and_is_refused_is_made_again(
    bench: Bench,
) -> None:
    bench.service.fail_after["finalize"] = [DOWN]
    sink = await bench.opened()
    await collect(sink, lines(3))
    await sink.flush()
    bench.service.fail["finalize"] = [GONE]
    outcome = await sink.flush()
    await sink.close()
    assert outcome == Delivered()
    assert bench.service.received == [file_of(lines(3))] * 2  # nobody can know


async def test_a_finalize_that_is_refused_at_once_is_not_repeated(bench: Bench) -> None:
    bench.service.fail["finalize"] = [GONE]
    sink = await bench.opened()
    await collect(sink, lines(3))
    outcome = await sink.flush()
    await sink.close()
    assert isinstance(outcome, RetryAfter)
    assert bench.service.asked == list(STEPS)


async def test_a_file_that_is_finalized_after_all_is_not_uploaded_again(bench: Bench) -> None:
    bench.service.fail["finalize"] = [GONE]
    sink = await bench.opened()
    await collect(sink, lines(3))
    await sink.flush()
    bench.credentials += 1
    outcome = await sink.flush()
    await sink.close()
    assert outcome == Delivered()
    assert bench.service.received == [file_of(lines(3))]


async def test_another_sign_in_does_not_upload_a_finalized_file_again(bench: Bench) -> None:
    bench.service.fail_after["finalize"] = [DOWN]
    sink = await bench.opened()
    await collect(sink, lines(3))
    await sink.flush()
    bench.service = bench.service.signed_in_again()
    outcome = await sink.flush()
    await sink.close()
    assert outcome == Delivered()
    assert bench.service.received == [file_of(lines(3))]


async def test_an_upload_url_is_of_no_use_with_other_credentials(bench: Bench) -> None:
    """They may be those of another tenant."""
    bench.service.fail["put"] = [DOWN]
    sink = await bench.opened()
    await collect(sink, lines(3))
    await sink.flush()
    bench.service = bench.service.signed_in_again()
    outcome = await sink.flush()
    await sink.close()
    assert outcome == Delivered()
    assert bench.service.asked == ["initiate", "put", *STEPS]
    assert bench.service.received == [file_of(lines(3))]


@pytest.mark.parametrize("point", [*STEPS, "finalize carried out"])
async def test_the_next_process_neither_loses_nor_doubles(bench: Bench, point: str) -> None:
    """A process is killed as a step fails; the next gets the same batches from the spool."""
    step = point.split(maxsplit=1)[0]
    (bench.service.fail_after if " " in point else bench.service.fail)[step] = [DOWN]
    killed = await bench.opened()
    await collect(killed, lines(3), lines(2, 3))
    assert isinstance(await killed.flush(), RetryAfter)
    await killed.close()

    sink = await bench.opened()
    assert await sink.flush() == Delivered()  # what the other had begun
    await collect(sink, lines(3), lines(2, 3), lines(4, 5))
    assert await sink.flush() == Delivered()
    await sink.close()
    assert sorted(b"".join(bench.service.received).splitlines()) == sorted(lines(9))


async def test_the_next_process_leaves_out_what_was_delivered(bench: Bench) -> None:
    killed = await bench.opened()
    await collect(killed, lines(3))
    await killed.flush()  # and the spool has not committed that it was passed
    await killed.close()
    sink = await bench.opened()
    await collect(sink, lines(3), lines(2, 3))
    await sink.flush()
    await sink.close()
    assert bench.service.received == [file_of(lines(3)), file_of(lines(2, 3))]


async def test_batches_of_another_spool_are_others(bench: Bench) -> None:
    sink = await bench.opened()
    await collect(sink, lines(3))
    await sink.flush()
    await sink.close()
    sink = await bench.opened()
    sink.begin(1, 7.5)  # the same number, accepted at another time
    await sink.send(Lines.of(lines(3, 10)))
    await sink.flush()
    await sink.close()
    assert bench.service.received == [file_of(lines(3)), file_of(lines(3, 10))]


async def test_an_upload_that_was_begun_waits_for_the_service(bench: Bench) -> None:
    bench.service.fail["finalize"] = [DOWN]
    killed = await bench.opened()
    await collect(killed, lines(3))
    await killed.flush()
    await killed.close()
    bench.service.fail["finalize"] = [DOWN, NO_ROLE]
    sink = await bench.opened()
    outcomes = [type(await sink.flush()), type(await sink.flush())]
    bench.credentials += 1
    outcomes.append(type(await sink.flush()))
    await sink.close()
    assert outcomes == [RetryAfter, RetryAfter, Delivered]
    assert bench.service.received == [file_of(lines(3))]


async def test_an_upload_that_nobody_knows_any_more_is_made_again(bench: Bench) -> None:
    bench.service.fail["finalize"] = [DOWN]
    killed = await bench.opened()
    await collect(killed, lines(3))
    await killed.flush()
    await killed.close()
    bench.service.fail["finalize"] = [GONE]
    sink = await bench.opened()
    assert await sink.flush() == Delivered()
    await collect(sink, lines(3))
    await sink.flush()
    await sink.close()
    assert bench.service.received == [file_of(lines(3))]


async def test_old_transactions_are_refused_and_their_neighbours_collected(bench: Bench) -> None:
    old = lines(1, 50, NOW - timedelta(days=91))
    sink = await bench.opened()
    sink.begin(1, 0.5)
    outcome = await sink.send(Lines.of([*lines(2), *old, *lines(2, 2)]))
    rest = await sink.send(Lines.of(lines(2, 2)))
    await sink.flush()
    await sink.close()
    assert outcome == Rejected(2, "older than 90 days, which MCAS refuses")
    assert rest == Delivered()
    assert bench.service.received == [file_of(lines(4))]


async def test_no_room_for_the_file_keeps_the_lines_waiting(bench: Bench) -> None:
    sink = cloud_discovery_sink(bench, bench.folder, max_records=10, max_bytes=1000, max_secs=1)
    (bench.folder / UPLOADS_NAME).rmdir()
    sink.begin(1, 0.5)
    outcome = await sink.send(Lines.of(lines(1)))
    await sink.close()
    assert isinstance(outcome, RetryAfter)
    assert outcome.reason == ("upload failed: lines can't be collected: no such file or directory")


async def test_no_upload_url_is_shown_anywhere(
    bench: Bench, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    for fail in ({"put": [DOWN]}, {"finalize": [NO_ROLE]}, {"finalize": [GONE]}):
        bench.service.fail = fail  # type: ignore[assignment]
        bench.credentials += 1
        sink = await bench.opened()
        await collect(sink, lines(3))
        outcome = await sink.flush()
        parts = vars(sink) | vars(sink._uploader)
        inside = {name: value for name, value in parts.items() if name not in {"_session", "_api"}}
        shown = f"{outcome} {sink.last_error} {sink.destination} {inside}"
        await sink.close()
        assert "private" not in shown
    out = "".join(capfd.readouterr())
    logged = str([vars(record) for record in caplog.records])
    assert "private" not in out + logged


def test_it_is_cancelled_in_any_step_without_harm(bench: Bench) -> None:
    """A stop cuts a flush short; the next process learns from the journal how far it had come."""

    reached = asyncio.Event()

    async def cut(step: str, hang: Callable[..., object]) -> None:
        sink = await bench.opened()
        await sink.flush()
        await collect(sink, lines(3))
        reached.clear()
        setattr(bench.service, step, hang)
        flush = asyncio.ensure_future(sink.flush())
        await reached.wait()
        flush.cancel()
        await asyncio.gather(flush, return_exceptions=True)
        await sink.close()
        delattr(bench.service, step)

    async def hang(*_: object) -> None:
        reached.set()
        await asyncio.sleep(3600)

    async def all_steps() -> None:
        for step in STEPS:
            await cut(step, hang)
        sink = await bench.opened()
        await sink.flush()
        await collect(sink, lines(3))
        await sink.flush()
        await sink.close()

    asyncio.run(all_steps())
    assert bench.service.received == [file_of(lines(3))]


async def test_a_legacy_token_is_advised_against(bench: Bench) -> None:
    sink = await bench.opened()
    before = sink.advice
    bench.uses_token = True
    after = sink.advice
    await sink.close()
    assert before is None
    assert after == (
        "uploads use a legacy token, which goes with its owner's account; sudo nss "
        "configure-mcas2 takes its place"
    )


async def test_a_stopped_upload_takes_the_collection_between_two_batches(bench: Bench) -> None:
    """Else half a batch could be in the file and its other half in the next, and be forgotten."""
    bench.service.fail["initiate"] = [NO_ROLE]
    sink = await bench.opened()
    await sink.flush()
    await collect(sink, lines(1))
    await sink.flush()  # is refused
    await collect(sink, lines(2, 1), first=2)
    sink.begin(3, 0.5)
    await sink.send(Lines.of(lines(2, 3)))
    bench.credentials += 1
    first = await sink.flush()  # in the middle of the third batch
    await sink.send(Lines.of(lines(2, 5)))
    second = await sink.flush()
    await sink.close()
    assert (first, second) == (Delivered(), Delivered())
    assert bench.service.received == [file_of(lines(1)), file_of(lines(6, 1))]


async def test_credentials_that_change_during_a_try_are_tried_at_once(bench: Bench) -> None:
    async def change() -> Service:
        bench.credentials += 1
        raise NO_ROLE

    sink = await bench.opened()
    await collect(sink, lines(3))
    bench.api = change  # type: ignore[method-assign]
    first = await sink.flush()
    del bench.api
    second = await sink.flush()
    await sink.close()
    assert isinstance(first, RetryAfter)
    assert second == Delivered()
