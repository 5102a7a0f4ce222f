"""The names of files that the upload sink notes, for their entries in the governance log."""

from nss.mcas import UploadExpired
from nss.mcas.access import uploads_folder
from nss.mcas.uploaded import UploadedFile, uploaded_by
from tests.sinks.cloud_discovery.bench import (
    DOWN,
    NO_SOURCE,
    NOW,
    Bench,
    Happened,
    collect,
    flushed,
    lines,
)

AT = NOW.timestamp()
FIRST, SECOND = "mcas-20261124T120000-1.log", "mcas-20261124T120000-2.log"


def noted(bench: Bench) -> tuple[UploadedFile, ...]:
    return uploaded_by(uploads_folder(bench.folder), ["mcas"])


async def test_the_name_of_a_file_is_noted_before_it_is_put_and_when_it_is_confirmed(
    bench: Bench,
) -> None:
    seen: list[tuple[UploadedFile, ...]] = []
    bench.service.on_step = lambda: seen.append(noted(bench))
    sink = await bench.opened()
    await collect(sink, lines(1))
    await sink.flush()
    await collect(sink, lines(1), first=2)
    await sink.flush()
    await sink.close()
    begun, done = UploadedFile(FIRST, AT), UploadedFile(FIRST, AT, AT)
    assert seen[:4] == [(), (begun,), (begun,), (done,)]
    assert noted(bench) == (done, UploadedFile(SECOND, AT, AT))


async def test_a_file_that_the_next_process_finalizes_is_confirmed(bench: Bench) -> None:
    bench.service.fail["finalize"] = [NO_SOURCE]
    sink = await bench.opened()
    await collect(sink, lines(1))
    await sink.flush()
    await sink.close()
    assert noted(bench) == (UploadedFile(FIRST, AT),)
    again = await bench.opened()
    await flushed(again, bench)
    await again.close()
    assert noted(bench) == (UploadedFile(FIRST, AT, AT),)


async def test_a_retry_of_the_same_url_is_the_same_file_and_another_url_another_name(
    bench: Bench,
) -> None:
    bench.service.fail["put"] = [DOWN]
    sink = await bench.opened()
    await collect(sink, lines(1))
    await flushed(sink, bench)
    assert noted(bench) == (UploadedFile(FIRST, AT, AT),)
    bench.service.fail["put"] = [UploadExpired("the upload URL is not valid any more")]
    await collect(sink, lines(1), first=2)
    await flushed(sink, bench)
    await sink.close()
    assert noted(bench)[1:] == (UploadedFile(SECOND, AT), UploadedFile(SECOND, AT, AT))


async def test_names_that_can_not_be_read_or_saved_stop_no_upload(
    bench: Bench, happened: Happened
) -> None:
    path = uploads_folder(bench.folder) / "mcas.files.json"
    path.mkdir()
    sink = await bench.opened()
    await collect(sink, lines(1))
    await sink.flush()
    await sink.close()
    assert bench.service.received
    assert happened()[:2] == [
        ("upload_names_unreadable", {"why": "is not a regular file"}),
        ("upload_names_unwritable", {"why": "is a directory"}),
    ]


async def test_names_that_make_no_sense_are_begun_anew(bench: Bench, happened: Happened) -> None:
    (uploads_folder(bench.folder) / "mcas.files.json").write_bytes(b"{")
    sink = await bench.opened()
    await collect(sink, lines(1))
    await sink.flush()
    await sink.close()
    assert happened()[0] == ("upload_names_unreadable", {"why": "Input data was truncated"})
    assert noted(bench) == (UploadedFile(FIRST, AT, AT),)
