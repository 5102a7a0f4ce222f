"""`nss upload-now`, and how other commands have the running service try uploads again."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import typer

from cli.asking import service_of
from cli.output import show_json
from nss.admin.operations import UploadedNow
from nss.errors import NssError
from nss.wording import harmless


def upload(config: Path, feeds: Sequence[str], *, as_json: bool) -> int:
    """Have feeds, or all, upload now, and show the result. Raises `NssError`.

    The exit code is 0 when all that was collected is uploaded, else 1.
    """
    with service_of(config) as service:
        found = service.upload_now(feeds)
    if as_json:
        show_json({"feeds": [asdict(uploaded) for uploaded in found]})
    else:
        for uploaded in found:
            typer.echo(harmless(_sentence(uploaded)))
    return 0 if all(uploaded.reason is None for uploaded in found) else 1


def resume_uploads(config: Path) -> list[str]:
    """Have a running service try the uploads that it holds; return the names of their feeds."""
    with suppress(NssError), service_of(config) as service:
        return service.resume_uploads()
    return []


def _sentence(uploaded: UploadedNow) -> str:
    head = f"feed {uploaded.feed}: {_records(uploaded.records)} uploaded"
    if uploaded.reason is not None:
        return f"{head}, {uploaded.pending:,} waiting: {uploaded.reason}"
    if not uploaded.records:
        return f"feed {uploaded.feed}: nothing was collected"
    return head


def _records(number: int) -> str:
    return "1 record" if number == 1 else f"{number:,} records"
