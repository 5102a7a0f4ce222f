"""The account with ZIA: OneAPI by secret or by key, the Entra application of MCAS, the legacy key.

What signs in takes a while to import, so that happens when somebody enters something, in a thread.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast, get_args

from nss.admin.portal.pages.integrations.entries import Built, Entry, Field, Problem
from nss.admin.portal.pages.integrations.files import named_file
from nss.admin.portal.pages.integrations.partner import Stored, problem_of, refusal, seen
from nss.answers import BadAnswer
from nss.checks import Check
from nss.config.model import Config
from nss.config.stored import StoredError
from nss.sync.assembling import SyncSetup
from nss.zia import fields
from nss.zia.credentials import Method, ZiaCredentials, ZiaCredentialsStore

if TYPE_CHECKING:
    from nss.setup.zia import ZiaDraft, ZiaSetup

_CLIENT_ID = Field("client_id", "Client ID", "On the API client's page in ZIdentity.")
_CLIENT_SECRET = Field(
    "client_secret", "Client Secret", "ZIdentity shows it once; else make a new one.", kind="secret"
)
_TOKEN_URL = Field(
    "token_url",
    "Vanity domain or token URL",
    "The first part of the address where administrators sign in: acme of acme.zslogin.net.",
)
_API_URL = Field(
    "api_url", "Cloud or API URL", "The name of your cloud, as zscalertwo, or the API's address."
)
_PRIVATE_KEY = Field(
    "private_key",
    "Private key file",
    "A path on the machine of the service: PEM, which the service's user may read.",
    kind="path",
)
_PASSPHRASE = Field(
    "passphrase", "Passphrase", "Optional: of the private key.", kind="secret", is_optional=True
)
_SCOPE = Field(
    "scope",
    "Scope",
    "RESOURCE/.default: the Application ID URI that the OAuth server in the admin portal expects.",
)
_USERNAME = Field("username", "User name", "Of the API administrator, as admin@example.com.")
_PASSWORD = Field("password", "Password", "Of that administrator.", kind="secret")
_API_KEY = Field(
    "api_key",
    "API key",
    "In the admin portal: Administration, Cloud Service API Security.",
    kind="secret",
)

METHODS: Mapping[Method, str] = {
    "oneapi_secret": "OneAPI, client secret",
    "oneapi_key": "OneAPI, private key",
    "entra": "Entra application of MCAS",
    "legacy": "Legacy API key",
}
_FIELDS: Mapping[Method, tuple[Field, ...]] = {
    "oneapi_secret": (_CLIENT_ID, _CLIENT_SECRET, _TOKEN_URL, _API_URL),
    "oneapi_key": (_CLIENT_ID, _PRIVATE_KEY, _PASSPHRASE, _TOKEN_URL, _API_URL),
    "entra": (_SCOPE, _API_URL),
    "legacy": (_USERNAME, _PASSWORD, _API_KEY, _API_URL),
}
_BOUND = ("client_id", "username", "token_url", "api_url")
"""What a stored secret belongs to, and goes to: with other answers it has to be entered again."""


@dataclass(slots=True)
class _Known:
    """What was read last."""

    stamp: object
    stored: Stored


class ZiaAccount:
    """What the configuration in force says about the account with ZIA.

    `sync` is the sync of that configuration.
    """

    key = "zia"
    page = "/integrations/zia"
    methods: Mapping[str, str] = cast("Mapping[str, str]", METHODS)

    def __init__(self, configuration: Callable[[], Config], sync: Callable[[], SyncSetup]) -> None:
        self._configuration = configuration
        self._sync = sync
        self._known: _Known | None = None

    def fields(self, method: str) -> Sequence[Field]:
        """Return what a way of signing in needs."""
        return _FIELDS[_method(method)]

    def usual(self, method: str, name: str) -> str:
        """Return the usual address of OneAPI."""
        return fields.ONE_API_URL if name == "api_url" and method.startswith("oneapi") else ""

    def stored(self) -> Stored:
        """Return what is stored now."""
        store = self._store()
        stamp = str(store.file.path), store.file.stamp()
        if self._known is None or self._known.stamp != stamp:
            self._known = _Known(stamp, _read(store, seen(stamp)))
        return replace(self._known.stored, unwritable=_unwritable(store))

    def build(self, entry: Entry) -> Built[ZiaCredentials]:
        """Return credentials from what was entered and what is stored."""
        from nss.setup.zia import ZiaDraft  # noqa: PLC0415 - see the module

        store = self._store()
        stored = None
        with suppress(StoredError):  # damaged: it is replaced
            stored = store.load()
        draft = ZiaDraft.of(stored, _method(entry.method))
        if stored is not None and stored.method != draft.method:
            stored = None
        problems = dict(_taken(draft, entry))
        problems |= _without_secrets(draft, entry, stored, problems)
        if draft.method == "oneapi_key":
            problems |= _take_key(draft, entry, stored)
        if problems:
            return Built(None, problems)
        credentials = draft.credentials()
        problems |= _unreadable(store, credentials)
        return Built(None if problems else credentials, problems)

    async def test(self, credentials: ZiaCredentials) -> list[Check]:
        """Try credentials out."""
        setup = await asyncio.to_thread(self.setup)
        return (await setup.test(credentials)).steps

    def keep(self, credentials: ZiaCredentials) -> str:
        """Store credentials that passed a test."""
        self.setup().keep(credentials, is_tested=True)
        sync = self._sync()
        if sync.settings.target in {"file", "off"}:
            return f'They are not used: target in [sync] is "{sync.settings.target}".'
        if not sync.is_ready():
            return "The sync begins when MCAS is configured, too."
        return "The running service uses it from now on, and begins with a sync."

    def clear(self) -> str | None:
        """Remove credentials."""
        self._store().file.check_writable()
        if not self.setup().clear():
            return None
        return f"{self._without()} The URL category at the gateway stays as it is."

    def setup(self) -> "ZiaSetup":
        """Return what the command line sets up."""
        from nss.setup.zia import zia_setup_of  # noqa: PLC0415 - see the module

        config = self._configuration()
        folder = config.service.state_directory
        return zia_setup_of(folder, config.zia, config.mcas, config.sync)

    def _without(self) -> str:
        """Return what becomes of the sync without credentials for ZIA."""
        sync = self._sync()
        match sync.settings.target:
            case "file" | "off" as target:
                return f'The sync does not use them: target in [sync] is "{target}".'
            case "zia":
                return 'The sync fails without others: target in [sync] is "zia".'
            case "auto" if sync.is_ready():
                return f"The sync continues, into the {sync.name_of('file')}."
        return "Nothing is synced at the moment: MCAS is not configured."

    def _store(self) -> ZiaCredentialsStore:
        return ZiaCredentialsStore(self._configuration().service.state_directory, os.environ)


def _method(text: str) -> Method:
    known: tuple[Method, ...] = get_args(Method)
    return next(method for method in known if method == text)


def _unwritable(store: ZiaCredentialsStore) -> Problem | None:
    try:
        store.file.check_writable()
    except StoredError as error:
        return problem_of(error)
    return None


def _read(store: ZiaCredentialsStore, digest: str) -> Stored:
    """Return what is stored, read now."""
    described = Stored(origin=str(store.file.origin), seen=digest)
    try:
        found = store.load()
    except StoredError as error:
        return replace(described, problem=problem_of(error))
    if found is None:
        return described
    asked = _FIELDS[found.method]
    return replace(
        described,
        method=found.method,
        facts=tuple(_facts(found)),
        values={
            field.name: str(getattr(found, field.name))
            for field in asked
            if field.kind != "secret" and getattr(found, field.name)
        },
        secrets=frozenset(
            field.name for field in asked if field.kind == "secret" and getattr(found, field.name)
        ),
        tested_at=found.tested_at,
    )


def _facts(found: ZiaCredentials) -> Iterator[tuple[str, str]]:
    yield "Signs in by", METHODS[found.method]
    for field in _FIELDS[found.method]:
        value = getattr(found, field.name)
        if value:
            yield field.label, "stored, never shown" if field.kind == "secret" else str(value)


def _secrets(draft: "ZiaDraft") -> list[Field]:
    return [
        field for field in _FIELDS[draft.method] if field.kind == "secret" and not field.is_optional
    ]


def _taken(draft: "ZiaDraft", entry: Entry) -> Iterator[tuple[str, Problem]]:
    """Have a draft take the answers; yield what is wrong with them."""
    hidden = {field.name for field in _secrets(draft)}
    for name in draft.questions:
        if name in hidden:
            secret = entry.secrets.get(name)
            if secret is None:
                continue
            text = secret.reveal()
        else:
            text = entry.texts.get(name, "").strip() or draft.usual(name)
        bad = refusal(draft.take, name, text)
        if bad is not None:
            yield name, bad


def _without_secrets(
    draft: "ZiaDraft",
    entry: Entry,
    stored: ZiaCredentials | None,
    problems: Mapping[str, Problem],
) -> dict[str, Problem]:
    """Return what is wrong with secrets that were not entered: none is stored, or of others."""
    found = dict[str, Problem]()
    bound = [name for name in _BOUND if name in draft.questions]
    is_same = stored is not None and all(
        draft.values.get(name) == getattr(stored, name) for name in bound
    )
    for field in _secrets(draft):
        if field.name in entry.secrets:
            continue
        if stored is None:
            found[field.name] = Problem(f"the {field.label} is empty", field.hint)
        elif not is_same and not problems.keys() & set(bound):
            sentence = f"the {field.label} that is stored belongs to the other answers stored"
            found[field.name] = Problem(sentence, "enter it for these")
    return found


def _take_key(draft: "ZiaDraft", entry: Entry, stored: ZiaCredentials | None) -> dict[str, Problem]:
    """Have a draft take the private key; a passphrase stays as long as its file does."""
    try:
        path = named_file(_PRIVATE_KEY, entry.texts.get(_PRIVATE_KEY.name, ""))
    except BadAnswer as bad:
        return {_PRIVATE_KEY.name: Problem(bad.sentence, bad.tip)}
    draft.private_key = path
    is_same = stored is not None and stored.private_key == path
    before = stored.passphrase if stored is not None and is_same else None
    draft.passphrase = entry.secrets.get(_PASSPHRASE.name) or before
    return {}


def _unreadable(store: ZiaCredentialsStore, credentials: ZiaCredentials) -> dict[str, Problem]:
    """Return what is wrong with a key that the service's user can't read."""
    key = credentials.private_key
    if key is not None and key.exists():  # or the test reports it
        try:
            store.file.check_readable("private key", key)
        except StoredError as error:
            return {_PRIVATE_KEY.name: problem_of(error)}
    return {}
