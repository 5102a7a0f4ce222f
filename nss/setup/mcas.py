"""What the commands need of the configuration file, which may be missing or wrong elsewhere."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from nss.config import DEFAULT_CONFIG
from nss.config.load import ConfigProblems, McasConfig, ServiceConfig
from nss.config.reading import Reading
from nss.errors import ConfigError, InputMissing
from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.mcas.access import audit_log, credentials_store, network_of
from nss.mcas.credentials import CredentialsStore
from nss.telemetry.audit import AuditLog
from nss.wording import error_text

_UPLOAD = "cloud_discovery"


@dataclass(frozen=True, slots=True)
class Place:
    """Where credentials are kept, and how the way to MCAS goes."""

    mcas: McasConfig
    store: CredentialsStore
    audit: AuditLog
    network: Network
    limiter: Limiter
    has_upload: bool
    """Whether some feed uploads."""


def place_of(path: Path) -> Place:
    """Return the place that a configuration file states; the usual file may be missing.

    What is wrong elsewhere in the file does not matter here. Raises `ConfigError`.
    """
    text = _text(path)
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(
            f"configuration: the file is not TOML ({path})", tip="run: nss check"
        ) from None
    reading = Reading(path.absolute().parent)
    service = ServiceConfig(
        **reading.values(ServiceConfig, reading.table(tables, "", "service"), "service")
    )
    mcas = McasConfig(**reading.values(McasConfig, reading.table(tables, "", "mcas"), "mcas"))
    problems = [
        one
        for one in reading.problems
        if one.key == "service.state_directory" or one.key.split(".")[0] == "mcas"
    ]
    if problems:
        raise ConfigProblems(problems, str(path))
    return Place(
        mcas,
        credentials_store(service.state_directory, mcas),
        audit_log(service.state_directory),
        network_of(mcas),
        Limiter(mcas.requests_per_minute),
        _has_upload(tables),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if path == DEFAULT_CONFIG:  # it may come after the credentials
            return ""
        raise InputMissing(f"configuration: no such file ({path})") from None
    except (OSError, ValueError) as error:
        reason = error_text(error) if isinstance(error, OSError) else "it is not UTF-8"
        raise InputMissing(f"configuration: {reason} ({path})") from None


def _has_upload(tables: dict[str, object]) -> bool:
    feeds = tables.get("feeds")
    found = feeds.values() if isinstance(feeds, dict) else ()
    sinks = [feed.get("sink") for feed in found if isinstance(feed, dict)]
    return any(isinstance(sink, dict) and sink.get("kind") == _UPLOAD for sink in sinks)
