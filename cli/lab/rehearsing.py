"""`nss lab`: starts the stand-ins, prints the settings to paste, and shows what arrives."""

import asyncio
import contextlib
import ipaddress
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import orjson
import typer

from cli.lab.interrupting import run_until_ended
from nss.config.kinds import InvalidValue
from nss.config.values import Address, destination
from nss.errors import UsageError
from nss.lab.cloud.serving import HOST
from nss.lab.rehearsal import NAME, Event, Rehearsal
from nss.wording import error_text, harmless

MAX_CHARS = 300
"""How much of an event is shown, unless a terminal has less room."""

_MARGIN = 22
_LEAST_CHARS = 30


def rehearse(
    folder: Path | None, listen: str, records_per_sec: int, records_to: str | None, *, as_json: bool
) -> None:
    """Run the stand-ins until Ctrl-C or SIGTERM. Raises `NssError`."""
    address = _address(listen)
    to = None if records_to is None else _destination(records_to)
    with contextlib.suppress(KeyboardInterrupt), _folder(folder) as place:
        rehearsal = Rehearsal(place, listen=address)
        run_until_ended(_run(rehearsal, records_per_sec, to, as_json=as_json))


async def _run(
    rehearsal: Rehearsal, records_per_sec: int, to: Address | None, *, as_json: bool
) -> None:
    async with rehearsal:
        if as_json:
            _show_json(_plain(rehearsal))
        else:
            for line in _settings(rehearsal, shows_secrets=sys.stdout.isatty()):
                typer.echo(line)
        sending = None
        if records_per_sec:
            sending = asyncio.create_task(rehearsal.send(records_per_sec, to))
        try:
            async for event in rehearsal.events():
                _show(event, as_json=as_json)
        finally:
            if sending is not None:
                sending.cancel()


def _show(event: Event, *, as_json: bool) -> None:
    now = datetime.now().astimezone()
    if as_json:
        _show_json({"at": now.isoformat(), "part": event.part, "text": event.text, **event.facts})
        return
    room = MAX_CHARS
    if sys.stdout.isatty():
        room = max(shutil.get_terminal_size().columns - _MARGIN, _LEAST_CHARS)
    text = harmless(event.text)
    shown = text if len(text) <= room else f"{text[: room - 3]}..."
    typer.echo(f"{now:%H:%M:%S}  {event.part:<9}  {shown}")
    sys.stdout.flush()


def _show_json(facts: dict[str, object]) -> None:
    typer.echo(orjson.dumps(facts).decode())
    sys.stdout.flush()


def _plain(rehearsal: Rehearsal) -> dict[str, object]:
    lab = rehearsal.lab
    return {
        "part": "lab",
        "text": "stand-ins are ready",
        "folder": str(rehearsal.folder),
        "config": str(rehearsal.config),
        "ca_file": str(lab.ca_file),
        "client_id": lab.client_id,
        "client_secret_file": str(rehearsal.client_secret_file),
        "tenant_id": lab.tenant_id,
        "authentication_url": lab.authentication_url,
        "api_url": lab.api_url,
        "collector": str(rehearsal.collector),
        "records_to": str(rehearsal.records_to),
        "control_url": lab.control_url,
        "commands": rehearsal.commands,
    }


def _settings(rehearsal: Rehearsal, *, shows_secrets: bool) -> Iterator[str]:
    lab, folder = rehearsal.lab, rehearsal.folder
    yield "Stand-ins for Microsoft's and Zscaler's services, and a collector, all on this machine."
    yield "Nothing reaches the real ones. Secrets are made up for each run and open nothing else."
    yield f"All files are in {folder}. Ctrl-C ends it."
    yield ""
    yield "Try it, in another terminal; the configuration is made for it:"
    for command in rehearsal.commands:
        yield f"  {shlex.join(command)}"
    yield f"Records are taken at {rehearsal.records_to} then; nss lab --rate 100 sends some."
    yield ""
    yield "Or in a configuration of your own:"
    for section in ("mcas", "zia"):
        yield f"  [{section}]"
        yield f'  ca_file = "{lab.ca_file}"'
    yield "  [feeds.lab-upload]"
    yield '  format = "MCAS"'
    yield "  [feeds.lab-upload.sink]"
    yield '  kind = "cloud_discovery"'
    yield "  [feeds.lab-collector]"
    yield '  format = "MCAS"'
    yield "  [feeds.lab-collector.sink]"
    yield '  kind = "syslog_udp"            # or "syslog_tcp"'
    yield f'  destinations = ["{rehearsal.collector}"]'
    yield ""
    yield "and to the questions of nss configure-mcas2:"
    secret = rehearsal.client_secret_file
    yield f"  Client ID           {lab.client_id}"
    yield f"  Client Secret       {lab.client_secret if shows_secrets else f'in {secret}'}"
    yield f"  Authentication URL  {lab.authentication_url}"
    yield f"  API URL             {lab.api_url}"
    yield from _zia_answers(rehearsal, shows_secrets=shows_secrets)
    yield ""
    yield f"Make things go wrong: {lab.control_url}"
    yield ""
    if rehearsal.collector.host != HOST:
        yield f"Another machine needs in its /etc/hosts: {rehearsal.collector.host} {NAME}"
        yield ""


def _zia_answers(rehearsal: Rehearsal, *, shows_secrets: bool) -> Iterator[str]:
    lab, one_api = rehearsal.lab, rehearsal.lab.zia.one_api
    yield "and to those of nss configure-zia:"
    yield "  Sign in by          oneapi_secret"
    yield f"  Client ID           {one_api.client_id}"
    secret = one_api.secret if shows_secrets else f"in {rehearsal.zia_secret_file}"
    yield f"  Client Secret       {secret}"
    yield f"  Token URL           {lab.one_api_token_url}"
    yield f"  Cloud               {lab.one_api_url}"


def _address(listen: str) -> str:
    """Return an address of this machine; warns of one that others reach. Raises `UsageError`."""
    try:
        found = ipaddress.ip_address(listen)
    except ValueError:
        raise UsageError(f"lab: --listen: this is no IP address: {listen}") from None
    if found.is_unspecified:
        raise UsageError(
            f"lab: --listen: {listen} is every address, and clients need one of them",
            tip="give the address of this machine that they reach it by",
        )
    if str(found) != HOST:
        typer.echo(
            f"nss: warning: whoever reaches {found} can use the stand-ins, read what they were "
            "given and make them fail\nTry: a firewall; and no real records or secrets",
            err=True,
        )
    return str(found)


def _destination(text: str) -> Address:
    try:
        found = destination().read(text)
    except InvalidValue as error:
        raise UsageError(f"lab: --records-to: {error.problems[0].reason}: {text}") from None
    return Address(found.host, found.port)


@contextlib.contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    """Yield an empty folder for nobody else; without `wanted` one that is removed at the end."""
    if wanted is None:
        with tempfile.TemporaryDirectory(prefix="nss-lab-") as name:
            yield Path(name)
        return
    folder = wanted.absolute()
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        is_empty = not any(folder.iterdir())
        if is_empty:
            folder.chmod(0o700)
    except OSError as error:
        raise UsageError(f"lab: --folder: {error_text(error)} ({folder})") from None
    if not is_empty:
        raise UsageError(f"lab: --folder: it is not empty ({folder})", tip="name a new one")
    yield folder
