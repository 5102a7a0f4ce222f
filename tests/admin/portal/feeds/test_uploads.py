"""Upload now, and the end of a pause."""

from nss.admin.operations import UploadedNow
from nss.errors import UsageError
from nss.spool import SpoolError
from tests.admin.portal.feeds.conftest import UPLOAD, Browser, PortalOperations


async def test_what_is_collected_is_uploaded_and_the_audit_log_knows_who_asked(
    admin: Browser, operations: PortalOperations
) -> None:
    operations.show(upload=UPLOAD)

    answer = await admin.post("/feeds/mcas/upload-now")

    assert ("upload now", "mcas") in operations.asked
    assert "1,234 records are uploaded." in answer.text
    (entry,) = admin.audited()
    assert (entry["action"], entry["outcome"], entry["records"], entry["pending"]) == (
        "upload-now",
        "ok",
        1234,
        5,
    )
    assert str(entry["who"]).endswith("(portal)")
    assert entry["feeds"] == "mcas"


async def test_an_upload_that_failed_is_not_shown_as_done(
    admin: Browser, operations: PortalOperations
) -> None:
    operations.uploaded = [UploadedNow("mcas", 0, 7, "MCAS did not <b>answer</b>")]

    answer = await admin.post("/feeds/mcas/upload-now")

    assert "0 records are uploaded, 7 wait: MCAS did not &lt;b&gt;answer&lt;/b&gt;" in answer.text
    assert '<div class="notice bad">' in answer.text
    (entry,) = admin.audited()
    assert (entry["outcome"], entry["reason"]) == ("failed", "MCAS did not <b>answer</b>")


async def test_nothing_collected_is_said_as_such(
    admin: Browser, operations: PortalOperations
) -> None:
    operations.uploaded = [UploadedNow("mcas", 0, 0, None)]
    assert "Nothing was collected." in (await admin.post("/feeds/mcas/upload-now")).text


async def test_a_feed_that_does_not_upload_is_refused_with_the_reason(
    admin: Browser, operations: PortalOperations
) -> None:
    operations.feed_error = UsageError("feed 'mcas' does not upload", tip="another")

    answer = await admin.post("/feeds/mcas/upload-now")

    assert answer.status_code == 400
    assert "does not upload" in answer.text
    (entry,) = admin.audited()
    assert (entry["action"], entry["outcome"]) == ("upload-now", "failed")


async def test_a_pause_is_ended_and_says_of_which_feeds(
    admin: Browser, operations: PortalOperations
) -> None:
    operations.held = ["mcas", "other"]
    answer = await admin.post("/feeds/mcas/resume")
    assert "The pause is over: mcas, other will be tried again now." in answer.text
    operations.held = []
    answer = await admin.post("/feeds/mcas/resume")
    assert "No upload was held: there was nothing to end." in answer.text
    first, second = admin.audited()
    assert (first["action"], first["feeds"]) == ("resume-uploads", "mcas, other")
    assert second["feeds"] == ""


async def test_viewers_change_nothing(viewer: Browser, operations: PortalOperations) -> None:
    operations.asked.clear()
    for path in ("upload-now", "resume", "retry", "replay"):
        answer = await viewer.post(f"/feeds/mcas/{path}", since="1", until="2")
        assert answer.status_code == 403
        assert "this needs the role admin" in answer.text
    assert operations.asked == []
    assert viewer.audited() == []


async def test_a_form_of_another_session_changes_nothing(
    admin: Browser, operations: PortalOperations
) -> None:
    operations.asked.clear()
    for path in ("upload-now", "resume", "retry", "replay"):
        answer = await admin.post(f"/feeds/mcas/{path}", csrf="x", since="1", until="2")
        assert answer.status_code == 403
    assert operations.asked == []


async def test_an_error_of_the_service_is_audited_too(
    admin: Browser, operations: PortalOperations
) -> None:
    operations.feed_error = SpoolError("the spool is closed")
    assert (await admin.post("/feeds/mcas/retry")).status_code == 409
    (entry,) = admin.audited()
    assert (entry["action"], entry["outcome"], entry["reason"]) == (
        "rejects-retry",
        "failed",
        "the spool is closed",
    )
