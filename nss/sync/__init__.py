"""The way back: apps that are unsanctioned in MCAS become a URL category, or a list for others.

    SyncError        69
    ├── ListRefused      65  the list is empty, or suddenly much shorter: nothing was changed
    ├── TargetUnfit      78  the category, or the file, is none that this program may change
    ├── SyncUnderway     75  another process is at it
    ├── StateUnusable    74  what a sync has to remember can't be read or written
    ├── TargetFailed     74  the file can't be written, or the program that reads it fails
    └── Unsettled        69  the category is not what was sent; the next run repairs it

What goes wrong with MCAS and ZIA themselves is in `nss.mcas` and `nss.zia`.
"""

from typing import ClassVar

from nss.errors import NssError


class SyncError(NssError):
    """A sync did not do what it should."""

    exit_code: ClassVar[int] = 69


class ListRefused(SyncError):  # noqa: N818 - named as the sentence reads
    """A list would free what is blocked, and nobody said that it may."""

    exit_code: ClassVar[int] = 65

    def __init__(self, message: str, *, tip: str, is_empty: bool = False) -> None:
        super().__init__(message, tip=tip)
        self.is_empty = is_empty


class TargetUnfit(SyncError):  # noqa: N818 - named as the sentence reads
    """What should be changed is something else."""

    exit_code: ClassVar[int] = 78


class SyncUnderway(SyncError):  # noqa: N818 - named as the sentence reads
    """Another process, or this one, syncs at the moment."""

    exit_code: ClassVar[int] = 75


class StateUnusable(SyncError):  # noqa: N818 - named as the sentence reads
    """The files in which a sync remembers what it did can't be used."""

    exit_code: ClassVar[int] = 74


class TargetFailed(SyncError):  # noqa: N818 - named as the sentence reads
    """A file can't be written, or the program that should read it says no."""

    exit_code: ClassVar[int] = 74


class Unsettled(SyncError):  # noqa: N818 - named as the sentence reads
    """What is there afterwards is not what should be."""
