"""`nss upload-now`, as people and scripts run it."""

import orjson
import pytest

from nss.admin.operations import UploadedNow, unknown_feed
from nss.errors import UsageError
from tests.admin.conftest import FakeOperations
from tests.admin.control.commands.conftest import Nss


@pytest.mark.parametrize(
    ("uploaded", "code", "shown"),
    [
        (UploadedNow("mcas", 1234, 5, None), 0, "feed mcas: 1,234 records uploaded\n"),
        (UploadedNow("mcas", 1, 0, None), 0, "feed mcas: 1 record uploaded\n"),
        (UploadedNow("mcas", 0, 0, None), 0, "feed mcas: nothing was collected\n"),
        (
            UploadedNow("mcas", 0, 1234, "upload failed: \x1b[2J"),
            1,
            "feed mcas: 0 records uploaded, 1,234 waiting: upload failed: \\x1b[2J\n",
        ),
    ],
)
@pytest.mark.usefixtures("control")
async def test_it_says_what_became_of_each_feed(
    operations: FakeOperations, nss: Nss, uploaded: UploadedNow, code: int, shown: str
) -> None:
    operations.uploaded = [uploaded]
    ran = await nss("upload-now")
    assert (ran.code, ran.out.decode(), ran.err) == (code, shown, "")
    assert operations.asked == [("upload now",)]


@pytest.mark.usefixtures("control")
async def test_feeds_are_named_and_json_has_all(operations: FakeOperations, nss: Nss) -> None:
    operations.uploaded = [UploadedNow("a", 2, 0, None), UploadedNow("b", 0, 7, "down")]
    ran = await nss("upload-now", "a", "b", "--json")
    assert (ran.code, ran.err) == (1, "")
    assert orjson.loads(ran.out) == {
        "feeds": [
            {"feed": "a", "records": 2, "pending": 0, "reason": None},
            {"feed": "b", "records": 0, "pending": 7, "reason": "down"},
        ]
    }
    assert operations.asked == [("upload now", "a", "b")]


@pytest.mark.parametrize(
    "error", [unknown_feed("mcsa", ["mcas"]), UsageError("no feed uploads", tip="add one")]
)
@pytest.mark.usefixtures("control")
async def test_what_can_not_upload_ends_with_64(
    operations: FakeOperations, nss: Nss, error: UsageError
) -> None:
    operations.error = error
    ran = await nss("upload-now", "mcsa")
    assert (ran.code, ran.out, ran.err) == (64, b"", f"nss: {error}\n")


async def test_no_service_ends_with_69(nss: Nss) -> None:
    ran = await nss("upload-now")
    assert (ran.code, ran.out) == (69, b"")
    assert "the service is not running" in ran.err
