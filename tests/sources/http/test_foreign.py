"""A pushed body of JSON of any shape: taken, all of it, or refused with a reason."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given, settings

from nss.sources.http.source import HttpSource
from tests import foreign
from tests.parts import http_source
from tests.sources.conftest import Accepted

RECORD = {"sourcetype": "web", "event": {"login": "ann", "eurl": "example.com", "reqsize": 7}}
BODIES = foreign.answers(RECORD, {"login": "ann"}, {"records": [RECORD, RECORD]})


@pytest.fixture
async def source(accepted: Accepted) -> AsyncIterator[HttpSource]:
    made = http_source()
    running = asyncio.create_task(made.run(accepted.accept))
    await made.ready.wait()
    yield made
    await made.stop()
    await running


@settings(suppress_health_check=foreign.MANY.suppress_health_check)
@given(first=BODIES, second=BODIES)
async def test_a_body_is_taken_whole_or_refused(
    source: HttpSource, accepted: Accepted, first: bytes, second: bytes
) -> None:
    body = first + b"\n" + second
    before = accepted.records
    url = f"http://127.0.0.1:{source.bound_port}"
    async with httpx.AsyncClient(base_url=url, verify=False, trust_env=False) as client:  # noqa: S501 - no TLS
        answer = await client.post("/", content=body)
        again = await client.post("/", content=b'{"login":"bob"}')

    assert answer.status_code in {200, 400, 413, 415}, answer.text
    if answer.status_code == 200:
        assert answer.json()["records"] == accepted.records - before - 1
    assert again.status_code == 200
    assert accepted.lines[-1] == b'{"login":"bob"}'
