"""From settings and stored credentials to runs: the list of MCAS, and the target.

What talks HTTPS takes 30 MB and a fifth of a second to import, so that happens in the first run.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from nss.config.model import McasConfig, ZiaConfig
from nss.config.sync import SyncConfig
from nss.mcas import RequestRefused, Throttled
from nss.mcas.access import audit_log, credentials_store
from nss.sync.run import Sync
from nss.sync.state import SyncStore
from nss.sync.targets import Target, TargetKind
from nss.sync.targets.file import FILE_NAME, FileTarget
from nss.sync.targets.zia import ZiaTarget
from nss.wording import error_text
from nss.zia import SignInRefused
from nss.zia.credentials import ZiaCredentials, ZiaCredentialsStore

if TYPE_CHECKING:
    from nss.mcas.session import McasSession
    from nss.zia.api import Pace

THROTTLED_SECS = 5.0
"""How long all requests to MCAS wait when it asks for fewer and names no time."""


@dataclass
class SyncSetup:
    """The sync of one configuration; see `nss.sync.schedule.Setup`.

    `session` returns the session with MCAS, and raises `NssError`.
    """

    state_directory: Path
    settings: SyncConfig
    mcas: McasConfig
    zia: ZiaConfig
    session: Callable[[], "McasSession"]
    _pace: "Pace | None" = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.store = SyncStore(self.state_directory)
        self._mcas_store = credentials_store(self.state_directory, self.mcas)
        self._zia_store = ZiaCredentialsStore(self.state_directory, os.environ)

    @property
    def interval_secs(self) -> float:
        """How often the service syncs."""
        return self.settings.interval_minutes * 60.0

    def is_ready(self) -> bool:
        """Return whether there are credentials for MCAS, right or wrong."""
        return any(stamp is not None for stamp in self._mcas_store.stamp())

    def digest(self) -> str:
        """Return a text that changes with settings and credentials."""
        stamps = (self._mcas_store.stamp(), self._zia_store.file.stamp())
        known = repr((self.settings, self.mcas, self.zia, stamps))
        return blake2b(known.encode(errors="replace"), digest_size=16).hexdigest()

    def kind(self) -> TargetKind:
        """Return where the list goes: `auto` depends on the credentials that are stored now."""
        match self.settings.target:
            case "zia" | "file" as kind:
                return kind
            case _:
                is_stored = any(stamp is not None for stamp in self._zia_store.file.stamp())
                return "zia" if is_stored else "file"

    def destination(self) -> tuple[str, str]:
        """Return the kind of the target and its name for people."""
        kind = self.kind()
        return kind, self.name_of(kind)

    def name_of(self, kind: TargetKind) -> str:
        """Return the name of a target for people."""
        if kind == "zia":
            return f"URL category {self.settings.category}"
        path = self.settings.file_path or self.state_directory / FILE_NAME
        return f"{self.settings.file_format} file {path}"

    async def sync(self) -> Sync:
        """Return what runs. Raises `NssError`."""
        session = await asyncio.to_thread(self.session)

        async def entries() -> list[str]:
            return await read_list(session, self.settings)

        audit = audit_log(self.state_directory)
        return Sync(self.settings, self.store, audit, entries, self._target)

    async def _target(self) -> Target:
        if self.kind() == "file":
            return FileTarget(self.settings, self.state_directory, self.store)
        return await asyncio.to_thread(self._zia_target)

    def _zia_target(self) -> Target:
        from nss.setup.zia import zia_setup_of  # noqa: PLC0415 - see the module
        from nss.sync.blocked import look_up  # noqa: PLC0415
        from nss.zia.api import Pace  # noqa: PLC0415

        credentials = self._zia_store.load()
        if credentials is None:
            raise SignInRefused(
                "there are no credentials for ZIA",
                tip="run: sudo nss configure-zia, or set target in [sync]",
            )
        self._pace = self._pace or Pace()
        setup = zia_setup_of(self.state_directory, self.zia, self.mcas, self.settings)
        api = setup.connect(credentials, self._pace)
        account = _account(credentials)
        look = partial(look_up, api, self.settings.category)
        return ZiaTarget(
            api, self.settings, self.store, account=account, look=look, close=api.close
        )


def _account(credentials: ZiaCredentials) -> str:
    """Return what tells one organisation from another, as far as the way of signing in knows it."""
    domain = credentials.username.rpartition("@")[2]
    parts = (credentials.api_url, credentials.token_url, credentials.scope, domain)
    return " ".join(part for part in parts if part)


async def read_list(session: "McasSession", settings: SyncConfig) -> list[str]:
    """Return the entries of the list that the settings name. Raises `McasError`."""
    from nss.mcas.unsanctioned import listed_entries, script_entries  # noqa: PLC0415 - see the module

    read = script_entries if settings.list == "script" else listed_entries
    try:
        api = await session.api()
    except OSError as error:
        raise RequestRefused(
            f"the authorities in ca_file can't be used: {error_text(error)}",
            tip="see ca_file in [mcas]: nss check says what is wrong with it",
            field="ca_file",
        ) from None
    try:
        return await read(api)
    except Throttled as error:
        session.limiter.hold(error.retry_after_secs or THROTTLED_SECS)
        raise
