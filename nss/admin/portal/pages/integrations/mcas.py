"""The account with MCAS: OAuth 2.0 by secret, certificate or managed identity; the legacy token.

What signs in takes 30 MB and a fifth of a second to import, so that happens when somebody enters
something, and in a thread.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from nss.admin.portal.pages.integrations.arrival import Arrival
from nss.admin.portal.pages.integrations.entries import Built, Entry, Field, Problem
from nss.admin.portal.pages.integrations.files import named_file
from nss.admin.portal.pages.integrations.partner import Stored, problem_of, refusal, seen
from nss.answers import BadAnswer
from nss.checks import Check
from nss.config.model import Config
from nss.config.sinks import CloudDiscoverySinkConfig
from nss.config.stored import StoredError
from nss.https.limiter import Limiter
from nss.mcas import fields
from nss.mcas.access import credentials_store
from nss.mcas.credentials import CredentialsStore, McasCredentials, Method

if TYPE_CHECKING:
    from nss.setup.mcas import CredentialsDraft, McasSetup

_SECRET = Field(
    "client_secret",
    "Client Secret",
    "The column Value under Certificates & secrets, not the Secret ID.",
    kind="secret",
)
_SECRET_END = Field(
    "client_secret_expires",
    "Client Secret expires on",
    "Optional, for a warning in time: the column Expires beside it, as 2027-05-31.",
    is_optional=True,
    goes_with_secret=True,
)
_CLIENT_ID = Field(
    "client_id",
    "Client ID",
    "Application (client) ID, on the application's Overview page in Entra.",
)
_SCOPE = Field("scope", "Scope", "The usual one, unless your cloud has another.")
_AUTHENTICATION_URL = Field(
    "authentication_url",
    "Authentication URL",
    "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token, with the Directory (tenant) ID.",
)
_API_URL = Field(
    "api_url", "API URL", "In the Defender portal: Settings, Cloud Apps, System, About."
)
_CERTIFICATE = Field(
    "certificate",
    "Certificate file",
    "A path on the machine of the service: PEM or PFX, which the service's user may read.",
    kind="path",
)
_PRIVATE_KEY = Field(
    "private_key",
    "Private key file",
    "Optional: its PEM file, if the key is not in the same file.",
    kind="path",
    is_optional=True,
)
_PASSPHRASE = Field(
    "passphrase", "Passphrase", "Optional: of the key or the PFX.", kind="secret", is_optional=True
)

METHODS: Mapping[Method, str] = {
    "secret": "Client secret",
    "certificate": "Client certificate",
    "managed_identity": "Managed identity",
}
_FIELDS: Mapping[Method, tuple[Field, ...]] = {
    "secret": (_CLIENT_ID, _SECRET, _SECRET_END, _SCOPE, _AUTHENTICATION_URL, _API_URL),
    "certificate": (
        *(_CLIENT_ID, _CERTIFICATE, _PRIVATE_KEY, _PASSPHRASE),
        *(_SCOPE, _AUTHENTICATION_URL, _API_URL),
    ),
    "managed_identity": (_SCOPE, _API_URL),
}
_BOUND = ("client_id", "authentication_url")
"""What a stored secret belongs to: with other answers it has to be entered again."""

_NO_FEED = (
    'No feed uploads yet: add one with a sink of kind "cloud_discovery" to the configuration, and '
    "reload."
)


@dataclass(slots=True)
class _Known:
    """What was read last."""

    stamp: object
    stored: Stored


class McasAccount:
    """What the configuration in force says about the account with MCAS.

    `arrival` takes what a test finds out about the data source; `resume` has uploads tried that
    are held.
    """

    key = "mcas"
    page = "/integrations"
    methods: Mapping[str, str] = cast("Mapping[str, str]", METHODS)

    def __init__(
        self, configuration: Callable[[], Config], arrival: Arrival, resume: Callable[[], object]
    ) -> None:
        self._configuration = configuration
        self._arrival = arrival
        self._resume = resume
        self._known: _Known | None = None
        self._limiter: Limiter | None = None

    def fields(self, method: str) -> Sequence[Field]:
        """Return what a way of signing in needs."""
        return _FIELDS[_method(method)]

    def usual(self, method: str, name: str) -> str:  # noqa: ARG002 - it is the same for all
        """Return the usual scope."""
        return fields.DEFAULT_SCOPE if name == "scope" else ""

    def stored(self) -> Stored:
        """Return what is stored now."""
        store = self._store()
        stamp = str(store.path), store.stamp()
        if self._known is None or self._known.stamp != stamp:
            self._known = _Known(stamp, _read(store, seen(stamp)))
        return replace(self._known.stored, unwritable=_unwritable(store))

    def build(self, entry: Entry) -> Built[McasCredentials]:
        """Return credentials from what was entered and what is stored."""
        from nss.setup.mcas import CredentialsDraft  # noqa: PLC0415 - see the module

        store = self._store()
        stored = None
        with suppress(StoredError):  # damaged: it is replaced
            stored = store.load()
        draft = CredentialsDraft.of(stored, _method(entry.method))
        problems = dict(_taken(draft, entry))
        if draft.method == "secret" and "client_secret" not in entry.secrets:
            problems |= _without_secret(draft, stored, problems)
        if draft.method == "certificate":
            problems |= _take_files(draft, entry, stored)
        if not problems:
            problems |= _disagreement(draft)
        if problems:
            return Built(None, problems)
        credentials = draft.credentials()
        problems |= _unreadable(store, credentials)
        return Built(None if problems else credentials, problems)

    async def test(self, credentials: McasCredentials) -> list[Check]:
        """Try credentials out; what is stored and passes ends what holds uploads."""
        setup = await asyncio.to_thread(self.setup)
        report = await setup.test(credentials)
        self._arrival.found(report)
        if report.failed is None and await asyncio.to_thread(self._is_stored, credentials):
            self._resume()
        return report.steps

    def keep(self, credentials: McasCredentials) -> str:
        """Store credentials that passed a test."""
        setup = self.setup()
        said = ["The running service uses it from now on."]
        if setup.keep(credentials, is_tested=True):
            said.append("The legacy token was removed: OAuth 2.0 takes its place.")
        if not setup.has_upload:
            said.append(_NO_FEED)
        return " ".join(said)

    def clear(self) -> str | None:
        """Remove credentials and legacy token."""
        self._store().check_writable()
        if not self.setup().clear():
            return None
        return (
            "Uploads and the sync stop; records wait in the spool. The URL category at the gateway "
            "stays as it is."
        )

    def setup(self) -> "McasSetup":
        """Return what the command line sets up, with one limit on all requests of the portal."""
        from nss.setup.mcas import mcas_setup_of  # noqa: PLC0415 - see the module

        config = self._configuration()
        if self._limiter is None:
            self._limiter = Limiter(config.mcas.requests_per_minute)
        self._limiter.requests_per_minute = config.mcas.requests_per_minute
        folder = config.service.state_directory
        feeds = uploading(config)
        return mcas_setup_of(folder, config.mcas, feeds, self._limiter, sync=config.sync)

    def _store(self) -> CredentialsStore:
        config = self._configuration()
        return credentials_store(config.service.state_directory, config.mcas)

    def _is_stored(self, credentials: McasCredentials) -> bool:
        try:
            stored = self._store().load()
        except StoredError:
            return False
        return stored is not None and replace(stored, tested_at=None) == credentials


def uploading(config: Config) -> list[str]:
    """Return the names of the feeds that upload."""
    return [feed.name for feed in config.feeds if isinstance(feed.sink, CloudDiscoverySinkConfig)]


def _method(text: str) -> Method:
    known: tuple[Method, ...] = get_args(Method)
    return next(method for method in known if method == text)


def _unwritable(store: CredentialsStore) -> Problem | None:
    try:
        store.check_writable()
    except StoredError as error:
        return problem_of(error)
    return None


def _read(store: CredentialsStore, digest: str) -> Stored:
    """Return what is stored, read now."""
    problem, found, has_token = None, None, False
    try:
        has_token = store.token() is not None
        found = store.load()
    except StoredError as error:
        problem = problem_of(error)
    described = Stored(origin=store.origin, seen=digest, has_legacy_token=has_token)
    if found is None:
        return replace(described, problem=problem)
    values = {name: str(value) for name, value in _plain(found)}
    secrets = {"client_secret": found.client_secret, "passphrase": found.passphrase}
    return replace(
        described,
        method=found.method,
        facts=tuple(_facts(found)),
        values=values,
        secrets=frozenset(name for name, secret in secrets.items() if secret),
        tested_at=found.tested_at,
        problem=problem,
    )


def _plain(found: McasCredentials) -> Iterator[tuple[str, object]]:
    for name in ("client_id", "scope", "authentication_url", "api_url"):
        yield name, getattr(found, name)
    for name in ("client_secret_expires", "certificate", "private_key"):
        value = getattr(found, name)
        if value is not None:
            yield name, value


def _facts(found: McasCredentials) -> Iterator[tuple[str, str]]:
    yield "Signs in by", METHODS[found.method]
    for field in _FIELDS[found.method]:
        value = getattr(found, field.name)
        if field.kind == "secret":
            if value:
                yield field.label, "stored, never shown"
        elif value:
            yield field.label, str(value)
    if found.method == "secret" and found.client_secret_expires is None:
        yield _SECRET_END.label, "not known"


def _taken(draft: "CredentialsDraft", entry: Entry) -> Iterator[tuple[str, Problem]]:
    """Have a draft take the answers; yield what is wrong with them."""
    for name in draft.questions:
        text = entry.texts.get(name, "")
        if name == "client_secret":
            secret = entry.secrets.get(name)
            if secret is None:
                continue
            text = secret.reveal()
        elif name == "client_secret_expires" and not text:
            continue  # that of the secret stored before stays as long as the secret does
        bad = refusal(draft.take, name, text)
        if bad is not None:
            yield name, bad


def _without_secret(
    draft: "CredentialsDraft", stored: McasCredentials | None, problems: Mapping[str, Problem]
) -> dict[str, Problem]:
    """Return what is wrong with no secret: none is stored, or that of something else."""
    if stored is None or stored.client_secret is None:
        return {"client_secret": Problem("the Client Secret is empty", _SECRET.hint)}
    is_same = all(draft.values.get(name) == getattr(stored, name) for name in _BOUND)
    if is_same or problems.keys() & set(_BOUND):
        return {}
    sentence = (
        "the Client Secret that is stored belongs to the Client ID and the Authentication URL that "
        "are stored"
    )
    return {"client_secret": Problem(sentence, "enter the secret of these")}


def _take_files(
    draft: "CredentialsDraft", entry: Entry, stored: McasCredentials | None
) -> dict[str, Problem]:
    """Have a draft take the files; a passphrase stays as long as they do."""
    problems = dict[str, Problem]()
    found = dict[str, Path | None]()
    for field in (_CERTIFICATE, _PRIVATE_KEY):
        try:
            found[field.name] = named_file(field, entry.texts.get(field.name, ""))
        except BadAnswer as bad:
            problems[field.name] = Problem(bad.sentence, bad.tip)
    draft.certificate, draft.private_key = found.get("certificate"), found.get("private_key")
    before = stored.passphrase if stored is not None else None
    if stored is None or (stored.certificate, stored.private_key) != (
        draft.certificate,
        draft.private_key,
    ):
        before = None
    draft.passphrase = entry.secrets.get("passphrase") or before
    return problems


def _disagreement(draft: "CredentialsDraft") -> dict[str, Problem]:
    try:
        draft.check()
    except BadAnswer as bad:
        return {bad.field: Problem(bad.sentence, bad.tip)}
    return {}


def _unreadable(store: CredentialsStore, credentials: McasCredentials) -> dict[str, Problem]:
    """Return what is wrong with files that the service's user can't read."""
    problems = dict[str, Problem]()
    files = {
        "certificate": ("certificate", credentials.certificate),
        "private_key": ("private key", credentials.private_key),
    }
    for name, (what, path) in files.items():
        if path is not None:
            try:
                store.file.check_readable(what, path)
            except StoredError as error:
                problems[name] = problem_of(error)
    return problems
