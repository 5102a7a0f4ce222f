"""`nss verify-mcas2`: whether sign-in works, and whether logs arrive."""

import asyncio
import time
from dataclasses import asdict
from pathlib import Path

import orjson
import typer

from cli.asking import harmless, iso_time, told_secs, told_time
from nss.errors import ConfigError
from nss.mcas import fields
from nss.mcas.connection_test import Report, verify, verify_token
from nss.mcas.session import TokenAuthorization
from nss.setup.mcas import Place, place_of


def verify_arrival(path: Path, *, as_json: bool) -> int:
    """Look, and tell; the exit code is 0 when all is right, else 1."""
    place = place_of(path)
    report = asyncio.run(_report(place))
    failed = report.failed
    place.audit.write(
        "verify-mcas2",
        "passed" if failed is None else "failed",
        "" if failed is None else failed.sentence,
        code=None if failed is None else failed.code,
    )
    if as_json:
        typer.echo(orjson.dumps(_plain(report), option=orjson.OPT_INDENT_2).decode())
    else:
        _show(report, place.mcas.data_source)
    return 0 if failed is None else 1


async def _report(place: Place) -> Report:
    stored = place.store.load()
    data_source = place.mcas.data_source
    if stored is not None:
        return await verify(stored, place.network, data_source, place.limiter)
    token = place.store.token()
    if token is None or place.mcas.token_api_url is None:
        raise ConfigError(
            f"verify-mcas2: there are no credentials ({place.store.origin})",
            tip="sudo nss configure-mcas2",
        )
    api_url = fields.api_url(place.mcas.token_api_url)
    return await verify_token(
        api_url, TokenAuthorization(token), place.network, data_source, place.limiter
    )


def _show(report: Report, data_source: str) -> None:
    for step in report.steps:
        typer.echo(f"{'ok   ' if step.ok else 'wrong'} {step.name}: {harmless(step.sentence)}")
        if step.tip and not step.ok:
            typer.echo(f"      Try: {step.tip}")
    if report.expires_at is not None:
        left = told_secs(report.expires_at - time.time())
        typer.echo(f"      token type {report.token_type}, expires in {left}")
        typer.echo(f"      roles: {harmless(', '.join(report.roles)) or 'none'}")
    if report.stream is not None:
        last = report.stream.last_received
        typer.echo(
            f'      data source "{data_source}": last data received '
            f"{harmless(last) if last else 'never'}, files failed {report.stream.failed_files}"
        )
    for failure in report.failures or ():
        at = "" if failure.at is None else f" {told_time(failure.at)}"
        typer.echo(f"      parse error{at}: {harmless(failure.text)}")


def _plain(report: Report) -> dict[str, object]:
    return {
        "ok": report.failed is None,
        "steps": [asdict(step) for step in report.steps],
        "token_type": report.token_type,
        "token_expires_at": iso_time(report.expires_at),
        "roles": list(report.roles),
        "data_source": None if report.stream is None else asdict(report.stream),
        "parse_failures": None
        if report.failures is None
        else [asdict(failure) for failure in report.failures],
    }
