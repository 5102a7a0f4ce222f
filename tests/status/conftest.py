"""The parts that a status is read of are the stand-ins of the tests of `nss.admin`."""

from tests.admin.conftest import (
    _fresh_telemetry,
    pytest_asyncio_loop_factories,
    settings,
)

__all__ = ["_fresh_telemetry", "pytest_asyncio_loop_factories", "settings"]
