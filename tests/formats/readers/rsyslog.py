"""What rsyslog makes of messages that it receives over TCP: parts of the header, and pairs."""

import os
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from nss.lab.ports import free_port
from tests.formats.readers.syslog_ng import unpacked

RULES = {"cef": "version=2\nrule=:%f:cef%\n"}


def read(messages: Sequence[str], folder: Path, rule: str = "") -> list[dict[str, Any]]:
    """Return the parts of each syslog message, and under `found` what liblognorm's `rule` finds."""
    peers = unpacked()
    try:
        found = peers.rsyslog()
    except peers.NotUnpacked as error:
        pytest.skip(str(error))
    (folder / "received").unlink(missing_ok=True)
    port = free_port()
    parts = "".join(
        f'property(outname="{name}" name="{name}" format="jsonf")'
        for name in ("pri", "timereported", "hostname", "programname", "msg")
    )
    normalise = ""
    if rule:
        (folder / "rules").write_text(RULES[rule])
        normalise = f'action(type="mmnormalize" rulebase="{folder}/rules" path="$!found")'
    (folder / "rsyslog.conf").write_text(
        f"""\
global(workDirectory="{folder}" maxMessageSize="1m" parser.escapeControlCharactersOnReceive="off")
module(load="imptcp")
module(load="mmnormalize")
template(name="parts" type="list" option.jsonf="on") {{
  {parts} property(outname="found" name="$!found" format="jsonf")
}}
ruleset(name="read") {{
  {normalise} action(type="omfile" file="{folder}/received" template="parts" asyncWriting="off")
}}
input(type="imptcp" address="127.0.0.1" port="{port}" ruleset="read")
"""
    )
    command = [found.program, *found.options, "-n", "-i", "NONE", "-f", f"{folder}/rsyslog.conf"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=os.environ | found.env, stdout=log, stderr=log)  # noqa: S603 - ours
    try:
        with _connected(port) as connection:
            connection.sendall("".join(f"{message}\n" for message in messages).encode())
        return _received(folder / "received", len(messages))
    finally:
        process.kill()
        process.wait()


def _connected(port: int) -> socket.socket:
    until = time.monotonic() + 15
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            assert time.monotonic() < until, "rsyslog does not listen"
            time.sleep(0.02)


def _received(file: Path, count: int) -> list[dict[str, Any]]:
    until = time.monotonic() + 30
    data = b""
    while data.count(b"\n") < count:
        assert time.monotonic() < until, f"not all of {count} messages are in {file}"
        time.sleep(0.02)
        data = file.read_bytes() if file.exists() else b""
    return [_parts(line) for line in data.splitlines()]


def _parts(line: bytes) -> dict[str, Any]:
    parts: dict[str, Any] = orjson.loads(line)
    return parts | {"found": orjson.loads(parts["found"] or "{}")}
