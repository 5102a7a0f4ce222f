"""Credentials for ZIA: put together from what is given, tested, and stored for the service."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from nss.answers import AROUND, BadAnswer
from nss.checks import Check, first_failed
from nss.config.model import McasConfig, ZiaConfig
from nss.config.stored import StoredError
from nss.config.sync import SyncConfig
from nss.errors import ConfigError, NssError
from nss.https.network import Network
from nss.mcas import McasError, Throttled
from nss.mcas import Unreachable as McasUnreachable
from nss.mcas.access import audit_log, credentials_store, network_of
from nss.mcas.credentials import McasCredentials
from nss.mcas.entra import SignIn
from nss.secret import Secret
from nss.setup.sections import read_sections
from nss.telemetry.audit import AuditLog
from nss.zia import Authorization, Busy, Field, RequestRefused, SignInRefused, Unreachable, ZiaError
from nss.zia import fields as zia_fields
from nss.zia.api import Pace, ZiaApi
from nss.zia.blocking import Policy, Verdict, judge, read_policy
from nss.zia.credentials import Method, ZiaCredentials, ZiaCredentialsStore
from nss.zia.signing_in import LegacySession, OneApi

Name = Literal[
    "client_id",
    "client_secret",
    "token_url",
    "username",
    "password",
    "api_key",
    "scope",
    "api_url",
]
SECRETS: Mapping[str, Callable[[str], Secret]] = {
    "client_secret": zia_fields.client_secret,
    "password": zia_fields.password,
    "api_key": zia_fields.api_key,
}
"""Fields whose answers are never shown, and what reads them."""

TEST_SECS = 120.0
"""How long a test may take, with the pauses that ZIA asks for."""

VERIFY_SECS = 300.0
"""And a look at all policies: some thirty requests."""

_SIGNED_IN = Check("sign in", ok=True, sentence="ZIA accepts the sign-in")
_FORBIDDEN = 403
_ACTION = "configure-zia"
_QUESTIONS: Mapping[Method, tuple[Name, ...]] = {
    "oneapi_secret": ("client_id", "client_secret", "token_url", "api_url"),
    "oneapi_key": ("client_id", "token_url", "api_url"),
    "entra": ("scope", "api_url"),
    "legacy": ("username", "password", "api_key", "api_url"),
}
_ONE_API: frozenset[Method] = frozenset({"oneapi_secret", "oneapi_key"})


@dataclass(slots=True)
class ZiaDraft:
    """Credentials as they come in, field by field."""

    method: Method
    values: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)
    private_key: Path | None = None
    passphrase: Secret | None = None
    audience: str = zia_fields.AUDIENCE

    @classmethod
    def of(cls, stored: ZiaCredentials | None, method: Method) -> "ZiaDraft":
        """Return a draft that begins with what is stored for this way of signing in."""
        if stored is None or stored.method != method:
            return cls(method)
        names = _QUESTIONS[method]
        values: dict[str, str] = {n: getattr(stored, n) for n in names if n not in SECRETS}
        secrets: dict[str, Secret] = {n: getattr(stored, n) for n in names if n in SECRETS}
        return cls(method, values, secrets, stored.private_key, stored.passphrase, stored.audience)

    @property
    def questions(self) -> tuple[Name, ...]:
        """The fields that this way of signing in needs, in the order to ask for them."""
        return _QUESTIONS[self.method]

    def has(self, name: Name) -> bool:
        """Return whether a field has a value."""
        return name in self.values or name in self.secrets

    def shown(self, name: Name) -> str:
        """Return a value as it may be shown."""
        return str(self.secrets.get(name, "")) or self.values.get(name, "")

    def usual(self, name: Name) -> str:
        """Return what is taken if nobody says otherwise, nothing if there is no such thing."""
        return zia_fields.ONE_API_URL if name == "api_url" and self.method in _ONE_API else ""

    def take(self, name: Name, text: str) -> None:
        """Take what was typed. Raises `BadAnswer`."""
        if name in SECRETS:
            self.secrets[name] = SECRETS[name](text)
            return
        url = zia_fields.one_api_url if self.method in _ONE_API else zia_fields.api_url
        self.values[name] = zia_fields.read(name, url)(text)

    def take_key(self, text: str) -> None:
        """Take the name of the file with the private key. Raises `BadAnswer`."""
        name = text.strip(AROUND)
        if not name:
            raise _no_key()
        self.private_key = Path(name).absolute()

    def credentials(self) -> ZiaCredentials:
        """Return the credentials; every one of `questions` has a value. Raises `BadAnswer`."""
        is_key = self.method == "oneapi_key"
        if is_key and self.private_key is None:
            raise _no_key()
        given: dict[str, Any] = {**self.values, **self.secrets}
        return ZiaCredentials(
            method=self.method,
            audience=self.audience,
            private_key=self.private_key if is_key else None,
            passphrase=self.passphrase if is_key else None,
            **given,
        )


def _no_key() -> BadAnswer:
    return BadAnswer("the private key is missing", "name its file", field="private_key")


@dataclass(slots=True)
class ZiaReport:
    """The checks made."""

    steps: list[Check] = field(default_factory=list)

    @property
    def failed(self) -> Check | None:
        """The first check that failed."""
        return first_failed(self.steps)


class EntraAuthorization:
    """Tokens of Entra that ZIA accepts: of the application that is stored for MCAS."""

    def __init__(self, credentials: McasCredentials, scope: str, network: Network) -> None:
        self._sign_in = SignIn(replace(credentials, scope=scope), network)

    async def headers(self) -> dict[str, Secret]:
        """Return the headers that a request needs. Raises `ZiaError`."""
        try:
            token = await asyncio.to_thread(self._sign_in.token)
        except McasError as error:
            raise _of_entra(error) from None
        return {"authorization": Secret(f"Bearer {token.value.reveal()}")}

    def refused(self) -> None:
        """Ask Entra for a new token next time. Never waits."""
        self._sign_in.refused()

    async def close(self) -> None:
        """Do nothing: tokens end by themselves."""


def _of_entra(error: McasError) -> ZiaError:
    """Return what an error of Entra is for those who talk to ZIA."""
    known: dict[str, Field] = {"scope": "scope", "proxy": "proxy", "ca_file": "ca_file"}
    kind: type[ZiaError] = SignInRefused
    if isinstance(error, Throttled | McasUnreachable):
        kind = Busy if isinstance(error, Throttled) else Unreachable
    return kind(
        error.sentence,
        tip=error.tip,
        field=known.get(error.field or ""),
        code=error.code,
        status=error.status,
        retry_after_secs=error.retry_after_secs,
    )


@dataclass(frozen=True, slots=True)
class ZiaSetup:
    """Where a configuration keeps credentials for ZIA, and how it reaches ZIA."""

    folder: Path
    store: ZiaCredentialsStore
    audit: AuditLog
    zia: ZiaConfig
    mcas: McasConfig
    sync: SyncConfig

    def connect(self, credentials: ZiaCredentials, pace: Pace) -> ZiaApi:
        """Return the API with some credentials; close it. Raises `NssError`."""
        network = network_of(self.zia)
        try:
            authorization = self._authorization(credentials, network)
            return ZiaApi(credentials.api_url, authorization, network, pace)
        except OSError:
            raise Unreachable(
                "the authorities in ca_file can't be used",
                tip="see ca_file in [zia]: nss check says what is wrong with it",
                field="ca_file",
            ) from None

    def _authorization(self, credentials: ZiaCredentials, network: Network) -> Authorization:
        if credentials.method in _ONE_API:
            return OneApi(credentials, network)
        if credentials.method == "legacy":
            return LegacySession(credentials, network)
        application = credentials_store(self.folder, self.mcas).load()
        if application is None:
            raise SignInRefused(
                "there is no application to sign in as: nothing is stored for MCAS",
                tip="run: sudo nss configure-mcas2",
            )
        return EntraAuthorization(application, credentials.scope, network_of(self.mcas))

    async def test(self, credentials: ZiaCredentials) -> ZiaReport:
        """Try credentials out before they are stored; the audit log says with what result."""
        report = ZiaReport()
        try:
            api = await asyncio.to_thread(self.connect, credentials, Pace())
            try:
                async with _in_time(TEST_SECS):
                    await _try(report, api, self.sync.category)
            finally:
                await api.close()
        except NssError as error:
            report.steps.append(_failure(report, error))
        facts = {"method": credentials.method, "api_url": credentials.api_url}
        if failed := report.failed:
            facts["field"] = failed.field or ""
            self.audit.write(_ACTION, "failed", failed.sentence, code=failed.code, **facts)
        else:
            self.audit.write(_ACTION, "passed", "", code=None, **facts)
        return report

    async def blocking(
        self,
        urls: Sequence[str],
        *,
        deadline_secs: float = VERIFY_SECS,
        reads_apps: bool = True,
    ) -> tuple[Policy, list[Verdict]]:
        """Return what is in force for the category, and whether it and some URLs are blocked.

        `reads_apps`: see `read_policy`. Raises `NssError`, a `ConfigError` without credentials.
        """
        credentials = await asyncio.to_thread(self.store.load)
        if credentials is None:
            raise ConfigError(
                f"there are no credentials for ZIA ({self.store.file.origin})",
                tip="sudo nss configure-zia",
            )
        api = await asyncio.to_thread(self.connect, credentials, Pace())
        try:
            deadline = time.monotonic() + deadline_secs
            category = self.sync.category
            async with _in_time(deadline_secs):
                policy = await read_policy(api, category, deadline, reads_apps=reads_apps)
        finally:
            await api.close()
        return policy, judge(policy, urls)

    def keep(self, credentials: ZiaCredentials, *, is_tested: bool) -> Path:
        """Store credentials. Raises `NssError`."""
        path = self.store.save(replace(credentials, tested_at=time.time() if is_tested else None))
        self.audit.write(_ACTION, "stored" if is_tested else "stored untested", path=str(path))
        return path

    def clear(self) -> bool:
        """Remove credentials; returns whether there were any. Raises `NssError`."""
        was_stored = self.store.file.remove()
        if was_stored:
            self.audit.write("clear-zia", "cleared")
        return was_stored


@contextlib.asynccontextmanager
async def _in_time(secs: float) -> AsyncIterator[None]:
    """Raise `Unreachable` for what takes longer, as an answer that comes byte by byte."""
    try:
        async with asyncio.timeout(secs):
            yield
    except TimeoutError:
        raise Unreachable(f"ZIA did not answer within {secs:.0f} s") from None


async def _try(report: ZiaReport, api: ZiaApi, category: str) -> None:
    deadline = time.monotonic() + TEST_SECS
    await api.sign_in()
    try:
        found = await api.find(category, deadline)
    except RequestRefused as error:
        if error.status == _FORBIDDEN:  # to whom it may be refused, ZIA knows
            report.steps.append(_SIGNED_IN)
        raise
    report.steps.append(_SIGNED_IN)
    there = "is there" if found is not None else "is not there yet, and will be made"
    sentence = f'URL categories can be read; "{category}" {there}'
    report.steps.append(Check("URL categories", ok=True, sentence=sentence))
    quota = await api.quota(deadline)
    sentence = f"{quota.used:,} custom URLs are used, {quota.remaining:,} may be added"
    report.steps.append(Check("quota", ok=True, sentence=sentence))


def _failure(report: ZiaReport, error: NssError) -> Check:
    name = "quota" if len(report.steps) > 1 else "URL categories"
    if isinstance(error, SignInRefused | StoredError):
        name = "sign in"
    field, code = (error.field, error.code) if isinstance(error, ZiaError) else (None, None)
    return Check(name, ok=False, sentence=error.args[0], field=field, code=code, tip=error.tip)


def zia_setup_of(folder: Path, zia: ZiaConfig, mcas: McasConfig, sync: SyncConfig) -> ZiaSetup:
    """Return what settings say about ZIA; `folder` is the state directory."""
    store = ZiaCredentialsStore(folder, os.environ)
    return ZiaSetup(folder, store, audit_log(folder), zia, mcas, sync)


def zia_setup(path: Path) -> ZiaSetup:
    """Return what a configuration file says about ZIA; the usual file may be missing.

    What is wrong elsewhere in the file does not matter here. Raises `NssError`.
    """
    keys = ("service.state_directory", "mcas", "zia", "sync")
    found = read_sections(path, *keys, may_be_missing=True)
    setup = zia_setup_of(found.service.state_directory, found.zia, found.mcas, found.sync)
    setup.store.file.remove_drafts()
    return setup
