"""Breakages where records come from."""

import pytest

from tests.breakages.conftest import Breakages
from tests.faults.conftest import sink, web

pytestmark = pytest.mark.long

OUT = sink("file", 'path = "lines"')


async def test_a_file_that_is_gone(breakages: Breakages) -> None:
    await breakages.start(web(), OUT)
    await breakages.shows("source-file-gone")
