"""Whether anything is uploaded to MCAS: what feeds and stored credentials come to together."""

from collections.abc import Iterator, Sequence

from nss.checks import Check
from nss.config.model import Config
from nss.config.sinks import CloudDiscoverySinkConfig
from nss.mcas.access import credentials_store

ADD_A_FEED = "sudo nss configure adds a feed that uploads; then sudo nss reload"


def upload_check(feeds: Sequence[str], *, is_for_sync: bool) -> Check:
    """Return the check of which feeds upload; `feeds` are their names.

    That none does is wrong, or a warning where credentials are for the sync of unsanctioned apps
    as well, which needs no feed.
    """
    if feeds:
        several = "feeds upload" if len(feeds) > 1 else "feed uploads"
        return Check("uploads", ok=True, sentence=f"the {several}: {', '.join(feeds)}")
    sentence = "no feed uploads records to MCAS: it gets none, except through a log collector"
    return Check("uploads", ok=is_for_sync, sentence=sentence, tip=ADD_A_FEED, warns=is_for_sync)


def upload_warnings(config: Config) -> Iterator[str]:
    """Yield what keeps a good configuration from uploading: no feed, or no credentials.

    Credentials that this user may not look for are taken for there.
    """
    uploads = [
        feed.name for feed in config.feeds if isinstance(feed.sink, CloudDiscoverySinkConfig)
    ]
    store = credentials_store(config.service.state_directory, config.mcas)
    try:
        is_stored = store.file.origin.exists() or store.token_path.exists()
    except PermissionError:
        return
    if uploads and not is_stored:
        yield (
            f"feed {', '.join(uploads)}: nothing is uploaded yet, as there are no credentials for "
            f"MCAS ({store.origin})\nTry: sudo nss configure-mcas2"
        )
    elif is_stored and not uploads:
        yield f"credentials for MCAS are stored, and no feed uploads\nTry: {ADD_A_FEED}"
