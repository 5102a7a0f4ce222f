"""A finalize that MCAS refuses: whether the file may have arrived is only said where it may."""

import pytest

from nss.mcas import RequestRefused
from tests.sinks.cloud_discovery.bench import DOWN, GONE, Bench, Happened, collect, flushed, lines

NO = RequestRefused("MCAS refuses the request, LAB: HTTP 200", status=200, code="LAB")


@pytest.mark.parametrize("error", [NO, GONE])
@pytest.mark.parametrize(
    ("between", "repeated"),
    [([], 0), ([DOWN], 1)],
    ids=["no answer was lost", "an answer was lost"],
)
async def test_what_was_refused_each_time_is_not_repeated(
    bench: Bench,
    happened: Happened,
    error: RequestRefused,
    between: list[RequestRefused],
    repeated: int,
) -> None:
    bench.service.fail["finalize"] = [error, *between, error]
    sink = await bench.opened()
    await collect(sink, lines(3))
    await flushed(sink, bench)
    await sink.close()
    names = [name for name, _ in happened()]
    assert names.count("upload_repeated") == repeated
    assert len(bench.service.received) == 1
