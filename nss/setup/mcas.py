"""Credentials for MCAS: put together from what is given, tested, and stored for the service."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from nss.checks import Check, first_failed
from nss.config.model import McasConfig
from nss.config.stored import StoredError
from nss.config.sync import SyncConfig
from nss.files.private import FileFault
from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.mcas import connection_test, dates, fields
from nss.mcas.access import UPLOADS_NAME, audit_log, credentials_store, network_of
from nss.mcas.connection_test import ConnectionReport
from nss.mcas.credentials import CredentialsStore, McasCredentials, Method
from nss.mcas.parse_results import ParseResults
from nss.mcas.uploaded import uploaded_by
from nss.secret import Secret
from nss.setup.sections import read_sections
from nss.setup.uploads import upload_check
from nss.telemetry.audit import AuditLog
from nss.wording import error_text
from nss.zia.credentials import FILE_NAME as ZIA_NAME

Name = Literal[
    "client_id", "client_secret", "client_secret_expires", "scope", "authentication_url", "api_url"
]

OPTIONAL: frozenset[Name] = frozenset({"client_secret_expires"})
"""What may stay empty."""

Further = Callable[[ConnectionReport], Awaitable[list[Check]]]

_ACTION = "configure-mcas2"
UPLOAD = "cloud_discovery"
"""The kind of sink that uploads."""

_QUESTIONS: Mapping[Method, tuple[Name, ...]] = {
    "secret": (
        *("client_id", "client_secret", "client_secret_expires"),
        *("scope", "authentication_url", "api_url"),
    ),
    "certificate": ("client_id", "scope", "authentication_url", "api_url"),
    "managed_identity": ("scope", "api_url"),
}


def _secret_end(text: str) -> str:
    found = dates.secret_end(text, datetime.now(UTC).date())
    return "" if found is None else found.isoformat()


_READ: Mapping[Name, Callable[[str], str]] = {
    "client_id": fields.client_id,
    "client_secret_expires": _secret_end,
    "scope": fields.scope,
    "authentication_url": fields.authentication_url,
    "api_url": fields.api_url,
}


@dataclass(slots=True)
class CredentialsDraft:
    """Credentials as they come in, field by field."""

    method: Method
    values: dict[str, str] = field(default_factory=dict)
    secret: Secret | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    passphrase: Secret | None = None
    is_end_new: bool = False
    """Whether the secret's end date was given now, and is not that of the secret stored before."""

    @classmethod
    def of(cls, stored: McasCredentials | None, method: Method) -> "CredentialsDraft":
        """Return a draft that begins with what is stored."""
        if stored is None:
            return cls(method)
        found = ((name, getattr(stored, name)) for name in _READ)
        values: dict[str, str] = {name: str(value) for name, value in found if value}
        if (stored.method == "managed_identity") != (method == "managed_identity"):
            # An application's client id is never that of a machine's identity, nor the reverse.
            values.pop("client_id", None)
        files = (stored.certificate, stored.private_key)
        return cls(method, values, stored.client_secret, *files, stored.passphrase)

    @property
    def questions(self) -> tuple[Name, ...]:
        """The fields that this way of signing in needs, in the order to ask for them."""
        return _QUESTIONS[self.method]

    @property
    def missing(self) -> list[Name]:
        """The fields that have no value and need one."""
        return [name for name in self.questions if not self.has(name) and name not in OPTIONAL]

    def has(self, name: Name) -> bool:
        """Return whether a field has a value."""
        return self.secret is not None if name == "client_secret" else name in self.values

    def shown(self, name: Name) -> str:
        """Return a value as it may be shown."""
        if name == "client_secret":
            return str(self.secret) if self.secret else ""
        return self.values.get(name, "")

    def take(self, name: Name, text: str) -> None:
        """Take what was typed. Raises `BadAnswer`."""
        if name == "client_secret":
            secret = fields.client_secret(text, self.values.get("client_id", ""))
            if secret != self.secret and not self.is_end_new:
                self.values.pop("client_secret_expires", None)
            self.secret = secret
        else:
            self.values[name] = _READ[name](text)
            self.is_end_new |= name == "client_secret_expires"

    def check(self) -> None:
        """Raise `BadAnswer` for values that do not go together."""
        if self.method != "managed_identity":
            values = self.values
            fields.check_clouds(values["authentication_url"], values["api_url"], values["scope"])

    def credentials(self) -> McasCredentials:
        """Return the credentials; every one of `questions` has a value, but optional ones."""
        by_certificate, by_secret = self.method == "certificate", self.method == "secret"
        ends = self.values.get("client_secret_expires") if by_secret else None
        return McasCredentials(
            method=self.method,
            client_id=self.values.get("client_id", ""),
            authentication_url=self.values.get("authentication_url", ""),
            scope=self.values["scope"],
            api_url=self.values["api_url"],
            client_secret=self.secret if by_secret else None,
            client_secret_expires=date.fromisoformat(ends) if ends else None,
            certificate=self.certificate if by_certificate else None,
            private_key=self.private_key if by_certificate else None,
            passphrase=self.passphrase if by_certificate else None,
        )


@dataclass(frozen=True, slots=True)
class McasSetup:
    """Where a configuration keeps credentials, and how it reaches MCAS."""

    data_source: str
    token_api_url: str | None
    store: CredentialsStore
    audit: AuditLog
    network: Network
    limiter: Limiter
    feeds: tuple[str, ...]
    """The names of the feeds that upload."""
    uploads: Path
    """Where the names of uploaded files are kept."""
    parse_failure_days: int
    is_for_sync: bool = False
    """Whether the sync of unsanctioned apps was set up, which the credentials are for as well."""

    @property
    def has_upload(self) -> bool:
        """Whether some feed uploads."""
        return bool(self.feeds)

    async def test(self, credentials: McasCredentials) -> ConnectionReport:
        """Try credentials out before they are stored; the audit log says with what result."""
        report = await connection_test.check(
            credentials, self.network, self.data_source, self.limiter
        )
        facts = {"client_id": credentials.client_id, "api_url": credentials.api_url}
        field = None if report.failed is None else report.failed.field
        self._note(_ACTION, report, **facts, field=field)
        return report

    async def verify(self, further: Further | None = None) -> ConnectionReport | None:
        """Test what is stored and check what arrived; `None` when nothing is stored.

        `further` makes more checks, of the way back, when those are done.
        """
        way = (self.network, self.data_source, self.limiter)
        stored, unreadable = self.store.load(), None
        try:
            results = await asyncio.to_thread(self._results)
        except (OSError, FileFault, ValueError) as error:
            reason = error_text(error) if isinstance(error, OSError) else str(error)
            unreadable = f"the names of uploaded files: {reason} ({self.uploads})"
            results = None
        if stored is not None:
            report = await connection_test.check(stored, *way, results=results)
            self._check_files(stored, report)
        else:
            token = self.store.token()
            if token is None or self.token_api_url is None:
                return None
            api_url = fields.api_url(self.token_api_url)
            report = await connection_test.check_token(api_url, token, *way, results=results)
        report.unreadable = report.unreadable or unreadable
        report.steps.append(upload_check(self.feeds, is_for_sync=self.is_for_sync))
        if further is not None:
            report.way_back = await further(report)
        self._note("verify-mcas2", report)
        return report

    def _results(self) -> ParseResults:
        """Return an object for the results of the files that were uploaded from this machine.

        Raises `OSError`, `FileFault` or `ValueError` when their names can't be read.
        """
        results = ParseResults(self.parse_failure_days)
        results.files = uploaded_by(self.uploads, self.feeds)
        return results

    def _check_files(self, stored: McasCredentials, report: ConnectionReport) -> None:
        """Add to a report what the service can't read though this command could."""
        try:
            self.store.check_files(stored)
        except StoredError as error:
            found = Check(
                "certificate", ok=False, sentence=error.args[0], field="certificate", tip=error.tip
            )
            report.steps.append(found)

    def keep(self, credentials: McasCredentials, *, is_tested: bool) -> bool:
        """Store credentials; returns whether those that passed a test replaced a legacy token.

        Raises `NssError`.
        """
        path = self.store.save(replace(credentials, tested_at=time.time() if is_tested else None))
        self.audit.write(_ACTION, "stored" if is_tested else "stored untested", path=str(path))
        removed_token = is_tested and self.store.remove_token()
        if removed_token:
            self.audit.write(_ACTION, "legacy token removed")
        return removed_token

    def clear(self) -> bool:
        """Remove credentials and legacy token; returns whether there were any."""
        was_stored, was_legacy = self.store.clear(), self.store.remove_token()
        if was_stored or was_legacy:
            self.audit.write("clear-mcas2", "cleared", legacy_token=was_legacy)
        return was_stored or was_legacy

    def _note(self, action: str, report: ConnectionReport, **facts: str | None) -> None:
        if failed := first_failed(report.all_checks):
            self.audit.write(action, "failed", failed.sentence, code=failed.code, **facts)
        else:
            self.audit.write(action, "passed", "", code=None, **facts)


def mcas_setup_of(
    folder: Path,
    mcas: McasConfig,
    feeds: Iterable[str],
    limiter: Limiter | None = None,
    *,
    sync: SyncConfig | None = None,
) -> McasSetup:
    """Return what settings say about MCAS; `folder` is the state directory.

    `feeds` are the names of those that upload. With `limiter` the requests count together with
    others. Raises `NssError` for files that are no good.
    """
    return McasSetup(
        mcas.data_source,
        mcas.token_api_url,
        credentials_store(folder, mcas),
        audit_log(folder),
        network_of(mcas),
        limiter or Limiter(mcas.requests_per_minute),
        tuple(feeds),
        folder / UPLOADS_NAME,
        mcas.parse_failure_days,
        is_for_sync=(sync is not None and sync.target in {"zia", "file"}) or _has_zia(folder),
    )


def _has_zia(folder: Path) -> bool:
    with contextlib.suppress(OSError):  # of another user
        return (folder / ZIA_NAME).exists()
    return False


def mcas_setup(path: Path) -> McasSetup:
    """Return what a configuration file says about MCAS; the usual file may be missing.

    What is wrong elsewhere in the file does not matter here. Raises `NssError`.
    """
    found = read_sections(path, "service.state_directory", "mcas", may_be_missing=True)
    setup = mcas_setup_of(
        found.service.state_directory, found.mcas, _uploading(found.tables), sync=found.sync
    )
    setup.store.remove_drafts()
    return setup


def _uploading(tables: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the feeds that upload, whatever else is wrong with them."""
    feeds = tables.get("feeds")
    for name, feed in feeds.items() if isinstance(feeds, dict) else ():
        sink = feed.get("sink") if isinstance(feed, dict) else None
        if isinstance(sink, dict) and sink.get("kind") == UPLOAD:
            yield name
