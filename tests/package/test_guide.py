"""The guide to MCAS, followed literally on a whole machine: it ends with a record in MCAS.

Commands are the `sh` blocks of the pages. A `text` block behind one says what is seen: prompts with
their answers, and lines that have to be printed, with anything for `...`.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pexpect

from nss.lab.cloud import CloudLab
from tests.package.conftest import ROOT
from tests.package.machine import CLOUD, HERE, Machine, wait_for

GUIDE = ROOT / "docs" / "guide"
PAGES = ("configure.md", "configure-mcas2.md", "restart.md", "verification.md")
STEP = re.compile(r"```sh\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
PROMPT = re.compile(r"([A-Z][^:\[]*[^:\[ ?]\??)(?: \[[^\]]*\])?: (.+)")
ENTER = "<Enter>"
TRIES = 20
OWN = (
    *("Client ID", "Client Secret", "Secret expires on (optional)"),
    *("Authentication URL", "API URL"),
)
"""Of these each tenant has values of its own."""


@dataclass(frozen=True)
class Step:
    """What is typed, the prompts with the page's answers, and what is printed."""

    command: str
    questions: list[tuple[str, str]]
    printed: list[str]


def steps() -> Iterator[Step]:
    for page in PAGES:
        for command, seen in STEP.findall((GUIDE / page).read_text(encoding="utf-8")):
            questions, printed = [], []
            for line in seen.splitlines():
                found = PROMPT.fullmatch(line)
                if found and (found[2] == ENTER or found[1] in OWN):
                    questions.append((found[1], found[2]))
                else:
                    printed.append(line)
            yield Step(command, questions, printed)


def test_whoever_follows_it_has_a_record_in_mcas(
    bare: Machine, package: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "lab"
    folder.mkdir()
    bare.write("/usr/local/bin/sudo", '#!/bin/sh\nexec "$@"\n', mode=0o755)
    with CloudLab(folder, address=HERE, name=CLOUD) as lab:
        # The real servers' certificates are of authorities that every machine trusts.
        bare.write("/usr/local/share/ca-certificates/lab.crt", lab.ca_file.read_text())
        bare.run("update-ca-certificates")
        named = next(step for step in steps() if "apt install" in step.command)
        shutil.copy(package, bare.path("/root") / named.command.split("./")[1].strip())
        ends = datetime.now(UTC) + timedelta(days=365)
        values = (lab.client_id, lab.client_secret, f"{ends:%Y-%m-%d}")
        own = dict(zip(OWN, (*values, lab.authentication_url, lab.api_url), strict=True))
        for step in steps():
            follow(bare, step, own)
        wait_for(lab.discovery.top_users, "the upload is parsed")
        assert [user for user, _ in lab.discovery.top_users()] == ["ana@example.com"]
        assert lab.complaints == []


def follow(machine: Machine, step: Step, own: Mapping[str, str]) -> None:
    """Type a command, answer what it asks, and see what the page says."""
    if step.questions:
        seen = answered(machine, step, own)
    else:
        # A person who was too fast for the spool types it once more, as the page says.
        tries = TRIES if "upload-now" in step.command else 1
        for _ in range(tries):
            seen = machine.run("sh", "-ec", step.command).stdout
            if is_seen(step.printed, seen):
                break
    assert is_seen(step.printed, seen), f"{step.command}\n{seen}"


def answered(machine: Machine, step: Step, own: Mapping[str, str]) -> str:
    """Answer the questions of a command; returns what it printed after them."""
    person = machine.terminal("sh", "-ec", step.command)
    for prompt, text in step.questions:
        person.expect(re.escape(prompt) + r"[^\n]*: ")
        person.sendline(own.get(prompt, text).replace(ENTER, ""))
    person.expect(pexpect.EOF)
    seen = (person.before or "").replace("\r\n", "\n")
    person.close()
    assert person.exitstatus == 0, seen
    return seen


def is_seen(expected: list[str], printed: str) -> bool:
    """Whether lines were printed, in this order; others may stand between them."""
    lines = iter(printed.splitlines())
    return all(any(matches(one, line) for line in lines) for one in expected)


def matches(expected: str, line: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, expected.split("..."))), line.rstrip()) is not None
