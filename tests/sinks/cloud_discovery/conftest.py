"""The bench of the upload sink."""

from pathlib import Path

import pytest

from tests.sinks.cloud_discovery.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
