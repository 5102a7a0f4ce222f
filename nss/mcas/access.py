"""From the configuration to MCAS: credentials, network and the sessions that feeds share.

What signs in and talks HTTPS takes 30 MB and a fifth of a second to import, so a service without
uploads does not.
"""

import contextlib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes

from nss.config.files import read_basic
from nss.config.model import Config, McasConfig, ZiaConfig
from nss.errors import ServiceError
from nss.files.beneath import open_folder
from nss.files.private import sync_folder
from nss.https.limiter import Limiter
from nss.mcas.credentials import CredentialsStore
from nss.secret import Secret
from nss.telemetry.audit import AuditLog
from nss.wording import error_text

if TYPE_CHECKING:
    from nss.https.network import Network
    from nss.mcas.session import McasSession

AUDIT_NAME = "audit.log"
UPLOADS_NAME = "uploads"
RESULTS_NAME = "parse-results.json"
CERTIFICATES_NAME = "certificates"


def credentials_store(state_directory: Path, mcas: McasConfig) -> CredentialsStore:
    """Return where the credentials are kept."""
    return CredentialsStore(state_directory, os.environ, token_file=mcas.token_file)


def audit_log(state_directory: Path) -> AuditLog:
    """Return the log of who changed or tested what."""
    return AuditLog(state_directory / AUDIT_NAME)


def network_of(settings: McasConfig | ZiaConfig) -> "Network":
    """Return how it is reached. Raises `nss.config.files.UnfitFile` for `proxy_auth_file`."""
    from nss.https.network import Network  # noqa: PLC0415 - see the module

    proxy = None if settings.proxy is None else Secret(settings.proxy)
    if settings.proxy is not None and settings.proxy_auth_file is not None:
        user, _, password = read_basic(settings.proxy_auth_file).partition(b":")
        scheme, _, address = settings.proxy.partition("://")
        written = ":".join(quote_from_bytes(part, "") for part in (user, password))
        proxy = Secret(f"{scheme}://{written}@{address}")
    return Network(ca_file=settings.ca_file, proxy=proxy, timeout_secs=settings.timeout_secs)


def uploads_folder(state_directory: Path) -> Path:
    """Return the folder of uploads under way, made if need be. Raises `ServiceError`."""
    folder = state_directory / UPLOADS_NAME
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(state_directory)  # or a journal in it is lost with it
    except OSError as error:
        raise ServiceError(
            f"uploads: no folder can be made: {error_text(error)} ({folder})",
            tip="run nss check: it says what is wrong with service.state_directory",
        ) from None
    return folder


def remove_drafts(state_directory: Path, mcas: McasConfig) -> None:
    """Remove secrets in files that commands and services left when they were killed."""
    credentials_store(state_directory, mcas).remove_drafts()
    with contextlib.suppress(OSError), open_folder(state_directory) as folder:
        folder.remove_drafts(RESULTS_NAME)
    for name in (CERTIFICATES_NAME, UPLOADS_NAME):
        with contextlib.suppress(OSError), open_folder(state_directory / name) as folder:
            folder.remove_drafts()


class McasAccess:
    """The sessions of one service with MCAS; feeds with the same settings share one.

    The requests of all of them count together, as they do for the tenant.
    """

    def __init__(self) -> None:
        self._sessions: dict[McasConfig, McasSession] = {}
        self._limiter: Limiter | None = None

    def session(self, config: Config) -> "McasSession":
        """Return the session of a configuration. Raises `NssError` for files that are no good."""
        from nss.mcas.session import McasSession  # noqa: PLC0415 - see the module

        mcas = config.mcas
        if self._limiter is None:
            self._limiter = Limiter(mcas.requests_per_minute)
        self._limiter.requests_per_minute = mcas.requests_per_minute
        found = self._sessions.get(mcas)
        if found is None:
            files = (mcas.ca_file, mcas.proxy_auth_file)
            found = self._sessions[mcas] = McasSession(
                credentials_store(config.service.state_directory, mcas),
                network_of(mcas),
                self._limiter,
                token_api_url=mcas.token_api_url,
                files=tuple(path for path in files if path is not None),
                renewed_network=partial(network_of, mcas),
            )
        return found

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()
