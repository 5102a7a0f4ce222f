"""The test of credentials, check by check, and of whether logs arrive."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from nss.checks import Check, first_failed
from nss.errors import NssError
from nss.expiry import Expiry
from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.mcas import Field, McasError, RequestRefused, fields
from nss.mcas.api import McasApi, Stream
from nss.mcas.credentials import McasCredentials
from nss.mcas.entra import SignIn, require_role
from nss.mcas.expiries import expiries_of
from nss.mcas.governance import UnreadableLog
from nss.mcas.parse_results import ParseFailure, ParseResults, ParseSummary
from nss.mcas.parse_sweep import ODD_ENTRIES, Position, Sweep
from nss.mcas.session import TokenAuthorization
from nss.secret import Secret
from nss.wording import nearest

MAX_PAGES = 10
"""How many pages of the governance log are read: a third of the requests of a minute."""


@dataclass(slots=True)
class ConnectionReport:
    """The checks made, and what is known of the data source if the test came that far."""

    steps: list[Check] = field(default_factory=list)
    token_type: str | None = None
    expires_at: float | None = None
    """Seconds since the epoch."""
    roles: tuple[str, ...] = ()
    stream: Stream | None = None
    failures: list[ParseFailure] | None = None
    """The files that could not be parsed, the latest first; `None` where that can't be read."""
    parsing: ParseSummary | None = None
    """What became of uploaded files, as far as it was read."""
    unreadable: str | None = None
    """Why it can't be read what became of them, or not all of it."""
    expiries: tuple[Expiry, ...] = ()
    """When the credentials end, as far as that is known."""
    way_back: list[Check] = field(default_factory=list)
    """Checks of the sync of unsanctioned apps, where somebody made them."""

    @property
    def failed(self) -> Check | None:
        """The first check that failed, of those that uploads depend on."""
        return first_failed(self.steps)

    @property
    def all_checks(self) -> list[Check]:
        """All checks, in the order to show them."""
        return [*self.steps, *self.way_back]


async def check(
    credentials: McasCredentials,
    network: Network,
    data_source: str,
    limiter: Limiter,
    *,
    results: ParseResults | None = None,
) -> ConnectionReport:
    """Sign in, look for the role, ask the API, find the data source; stop at the first failure.

    A data source that is not listed is only a warning: it can be added later, and lists have been
    seen without it.

    With `results`, see as well what became of the files in there.
    """
    report = ConnectionReport()
    sign_in = SignIn(credentials, network)
    try:
        token = await asyncio.to_thread(sign_in.token)
        report.token_type, report.expires_at = token.token_type, token.expires_at
        report.roles = token.roles
        report.steps.append(Check("sign in", ok=True, sentence="Entra gave a token"))
        require_role(token)
        report.steps.append(Check("role", ok=True, sentence="the token has Discovery.manage"))
    except NssError as error:
        report.steps.append(_failure("role" if report.steps else "sign in", error))
        return report
    await _look_at_expiries(report, credentials)
    _look_at_region(report, credentials.api_url)
    api = partial(McasApi, credentials.api_url, sign_in, network, limiter)
    await _ask(report, api, data_source, results)
    return report


async def check_token(
    api_url: str,
    token: Secret,
    network: Network,
    data_source: str,
    limiter: Limiter,
    *,
    results: ParseResults | None = None,
) -> ConnectionReport:
    """As `check`, with a legacy token, which needs no sign-in."""
    report = ConnectionReport(token_type="Token")  # noqa: S106 - a kind of token
    _look_at_region(report, api_url)
    api = partial(McasApi, api_url, TokenAuthorization(token), network, limiter)
    await _ask(report, api, data_source, results)
    return report


async def _look_at_expiries(report: ConnectionReport, credentials: McasCredentials) -> None:
    """Warn of credentials that end soon; of those that ended, the date must be wrong."""
    report.expiries = await asyncio.to_thread(expiries_of, credentials)
    now = time.time()
    for expiry in report.expiries:
        field: Field = "client_secret" if expiry.credential == "client_secret" else "certificate"
        warning, tip = expiry.warning_days(now), expiry.remedy
        if warning is None:
            continue
        sentence = expiry.finding(now)
        if expiry.ends_at <= now:
            sentence += "; and yet Entra accepts it"
            tip = "give the right date to nss configure-mcas2, and see that the clock is right"
        found = Check("expiry", ok=True, sentence=sentence, field=field, tip=tip, warns=True)
        report.steps.append(found)


def _look_at_region(report: ConnectionReport, api_url: str) -> None:
    advice = fields.region_advice(api_url)
    if advice is not None:
        found = Check(
            "API URL",
            ok=True,
            sentence=advice.sentence,
            field="api_url",
            tip=advice.tip,
            warns=True,
        )
        report.steps.append(found)


async def _ask(
    report: ConnectionReport,
    connect: Callable[[], McasApi],
    data_source: str,
    results: ParseResults | None,
) -> None:
    try:
        api = connect()
    except OSError:
        sentence = "the authorities in ca_file can't be used"
        tip = "see ca_file in [mcas]: nss check says what is wrong with it"
        report.steps.append(Check("API", ok=False, sentence=sentence, field="ca_file", tip=tip))
        return
    try:
        _find(report, await api.streams(), data_source)
        if results is not None and report.failed is None:
            await _ask_for_results(report, api, results)
    except NssError as error:
        report.steps.append(_failure("API", error))
    finally:
        await api.close()


def _find(report: ConnectionReport, streams: list[Stream], data_source: str) -> None:
    report.steps.append(Check("API", ok=True, sentence="MCAS answers"))
    report.stream = next((stream for stream in streams if stream.name == data_source), None)
    if report.stream is not None:
        sentence = f'the data source "{data_source}" is there'
        report.steps.append(Check("data source", ok=True, sentence=sentence))
        return
    near = nearest(data_source, (stream.name for stream in streams))
    there = f'; there is "{near}"' if near else ""
    report.steps.append(
        Check(
            "data source",
            ok=True,
            warns=True,
            sentence=f'MCAS has no data source "{data_source}"{there}',
            field="data_source",
            tip='in the Defender portal, Cloud Discovery, Automatic log upload: add "'
            f'{data_source}", source "Zscaler QRadar LEEF", receiver type "Syslog - UDP"',
        )
    )


async def _ask_for_results(report: ConnectionReport, api: McasApi, results: ParseResults) -> None:
    """See what became of uploaded files.

    That the governance log can't be read is no failure, and no success either: it is not
    documented, nor is the permission that it needs.
    """
    results.stream_id = None if report.stream is None else report.stream.stream_id
    sweep = Sweep(Position(results.recent_since()))
    try:
        for _ in range(MAX_PAGES):
            await sweep.read_page(api, results)
            if sweep.is_done:
                break
    except (RequestRefused, UnreadableLog) as error:
        report.unreadable = error.sentence
        return
    except NssError as error:
        report.steps.append(_failure("governance log", error))
        return
    if not sweep.is_done:
        report.unreadable = f"only the first {MAX_PAGES} pages of the governance log were read"
    elif sweep.odd:
        report.unreadable = f"{ODD_ENTRIES}: {sweep.odd}"
    report.failures, report.parsing = results.failures(), results.summary()
    if report.parsing.standing or (results.files and report.unreadable is None):
        report.steps.append(_parsing(report.parsing))


def _parsing(found: ParseSummary) -> Check:
    name = "parse results"
    for failure in found.standing:
        file = "an uploaded file" if failure.file is None else f"the file {failure.file}"
        sentence = f"Cloud Discovery could not use {file}: {failure.text}"
        return Check(name, ok=False, sentence=sentence, tip=failure.remedy)
    numbers = (
        (found.parsed, "parsed"),
        (found.pending, "pending"),
        (found.failed, "failed before"),
    )
    shown = ", ".join(f"{number:,} {what}" for number, what in numbers)
    return Check(name, ok=True, sentence=f"of the uploaded files {shown}")


def _failure(name: str, error: NssError) -> Check:
    field, code = (error.field, error.code) if isinstance(error, McasError) else (None, None)
    return Check(name, ok=False, sentence=error.args[0], field=field, code=code, tip=error.tip)
