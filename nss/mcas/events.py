"""What becomes of uploaded files in MCAS."""

from logging import ERROR, INFO, WARNING

from nss.telemetry.counters import Counter
from nss.telemetry.events import event

MCAS = "mcas"
"""The component where it is not known which feed a file was of."""


@event(ERROR, Counter.UPLOAD_PARSE_FAILURES, always=True)
def upload_parse_failed(feed: str, file: str | None, uploaded_at: str, why: str) -> None:
    """Cloud Discovery could not use an uploaded file: its records are lost there."""


@event(INFO, component=MCAS, always=True)
def upload_parse_recovered(parsed: int) -> None:
    """Cloud Discovery can use uploaded files again."""


@event(WARNING, Counter.PARSE_RESULTS_UNREADABLE, component=MCAS)
def parse_results_unreadable(why: str) -> str:
    """It can't be read whether Cloud Discovery could use the uploaded files."""
    return why


@event(INFO, component=MCAS)
def parse_results_readable() -> None:
    """It can be read again whether Cloud Discovery could use the uploaded files."""


@event(WARNING, component=MCAS)
def parse_results_forgotten(why: str) -> None:
    """The results of uploaded files that were known can't be read back: they are asked for anew."""


@event(WARNING, component=MCAS)
def parse_results_unwritable(why: str) -> None:
    """The results of uploaded files can't be saved: after a restart they are asked for anew."""
