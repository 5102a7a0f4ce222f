"""Trying credentials out, as the portal's Test button would, and looking whether logs arrive."""

import asyncio
from dataclasses import dataclass, field

from nss.errors import NssError
from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.mcas import Field, McasError, Refused
from nss.mcas.api import Authorization, McasApi, ParseFailure, Stream
from nss.mcas.credentials import McasCredentials
from nss.mcas.entra import AccessToken, SignIn, require_role
from nss.mcas.session import SignInAuthorization
from nss.wording import nearest


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried. What is not `ok` says what to fix; `tip` is what to do."""

    name: str
    ok: bool
    sentence: str
    field: Field | None = None
    code: str | None = None
    tip: str | None = None


@dataclass(slots=True)
class Report:
    """What was found out, step by step, and about the data source when it came so far."""

    steps: list[Step] = field(default_factory=list)
    token_type: str | None = None
    expires_at: float | None = None
    """Seconds since the epoch."""
    roles: tuple[str, ...] = ()
    stream: Stream | None = None
    failures: list[ParseFailure] | None = None
    """The latest files that could not be parsed; `None` where that can't be asked for."""

    @property
    def failed(self) -> Step | None:
        """The first step that is not right."""
        return next((step for step in self.steps if not step.ok), None)


async def try_out(
    credentials: McasCredentials, network: Network, data_source: str, limiter: Limiter
) -> Report:
    """Sign in, look for the role, ask the API, and find the data source; stop at what is wrong."""
    report = Report()
    sign_in = SignIn(credentials, network)
    try:
        token = await asyncio.to_thread(sign_in.token)
        _signed_in(report, token)
        require_role(token)
        report.steps.append(Step("role", ok=True, sentence="the token has Discovery.manage"))
    except NssError as error:
        name = "role" if report.steps else "sign in"
        report.steps.append(_failure(name, error))
        sign_in.close()
        return report
    await _ask(
        report, credentials.api_url, SignInAuthorization(sign_in), network, data_source, limiter
    )
    sign_in.close()
    return report


async def verify(
    credentials: McasCredentials, network: Network, data_source: str, limiter: Limiter
) -> Report:
    """Try the credentials out, and look at what arrived."""
    report = await try_out(credentials, network, data_source, limiter)
    if report.failed is None:
        sign_in = SignIn(credentials, network)
        api = McasApi(credentials.api_url, SignInAuthorization(sign_in), network, limiter)
        await _failures(report, api)
        sign_in.close()
    return report


async def verify_token(
    api_url: str, authorization: Authorization, network: Network, data_source: str, limiter: Limiter
) -> Report:
    """Look at what arrived, with a legacy token."""
    report = Report(token_type="Token")  # noqa: S106 - a kind of token
    await _ask(report, api_url, authorization, network, data_source, limiter)
    if report.failed is None:
        await _failures(report, McasApi(api_url, authorization, network, limiter))
    return report


def _signed_in(report: Report, token: AccessToken) -> None:
    report.token_type = token.token_type
    report.expires_at = token.expires_at
    report.roles = token.roles
    report.steps.append(Step("sign in", ok=True, sentence="Entra gave a token"))


async def _ask(
    report: Report,
    api_url: str,
    authorization: Authorization,
    network: Network,
    data_source: str,
    limiter: Limiter,
) -> None:
    api: McasApi | None = None
    try:
        api = McasApi(api_url, authorization, network, limiter)
        streams = await api.streams()
    except NssError as error:
        report.steps.append(_failure("API", error))
        return
    except OSError:
        sentence = "the authorities in ca_file can't be used"
        tip = "see ca_file in [mcas]: nss check tells what is wrong with it"
        report.steps.append(Step("API", ok=False, sentence=sentence, field="ca_file", tip=tip))
        return
    finally:
        if api is not None:
            await api.close()
    report.steps.append(Step("API", ok=True, sentence="MCAS answers"))
    report.stream = next((one for one in streams if one.name == data_source), None)
    if report.stream is not None:
        sentence = f'the data source "{data_source}" is there'
        report.steps.append(Step("data source", ok=True, sentence=sentence))
        return
    near = nearest(data_source, (one.name for one in streams))
    there = f'; there is "{near}"' if near else ""
    report.steps.append(
        Step(
            "data source",
            ok=False,
            sentence=f'MCAS has no data source "{data_source}"{there}',
            field="data_source",
            tip='in the Defender portal, Cloud Discovery, Automatic log upload: add "'
            f'{data_source}", source "Zscaler QRadar LEEF", receiver type "Syslog - UDP"',
        )
    )


async def _failures(report: Report, api: McasApi) -> None:
    """Where the governance log can't be read, nothing is wrong: that is not documented."""
    try:
        report.failures = await api.parse_failures()
    except Refused:
        report.failures = None
    except NssError as error:
        report.steps.append(_failure("governance log", error))
    finally:
        await api.close()


def _failure(name: str, error: NssError) -> Step:
    if isinstance(error, McasError):
        return Step(
            name,
            ok=False,
            sentence=error.sentence,
            field=error.field,
            code=error.code,
            tip=error.tip,
        )
    return Step(name, ok=False, sentence=str(error).partition("\n")[0], tip=error.tip)
