"""The documentation: its site builds, and what it names is there."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.reference import Page, pages
from nss.config import load as configuration

PROJECT = Path(__file__).parent.parent.parent
TEXTS = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]

_CODE = re.compile(r"```sh\n(.*?)```|`([^`\n]+)`", re.DOTALL)
_TOML = re.compile(r"```toml\n(.*?)```", re.DOTALL)
_COMMAND = re.compile(r"(?:^|sudo |\n|\$ )nss ([a-z][a-z0-9-]*)([^\n|>#]*)")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_HIDDEN = {"appliance"}
"""Commands that no help lists: units of the appliance call them."""
_ANY = {"--help", "--version", "--install-completion", "--show-completion"}


def known() -> dict[str, Page]:
    return {page.name.removeprefix("nss "): page for page in pages()}


def commands_in(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command that is named in code, and what follows it on its line."""
    for block, span in _CODE.findall(text):
        yield from _COMMAND.findall((block or span).replace("\\\n", " "))


def told(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="mkdocs-material is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    ran = subprocess.run(  # noqa: S603 - of the test environment
        command,
        cwd=PROJECT,
        env={"NO_MKDOCS_2_WARNING": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert [line for line in ran.stderr.splitlines() if "WARNING" in line] == []
    assert (tmp_path / "quickstart" / "index.html").exists()


@pytest.mark.parametrize("path", TEXTS, ids=told)
def test_every_command_and_option_it_names_is_there(path: Path) -> None:
    there = known()
    missing = []
    for name, rest in commands_in(path.read_text(encoding="utf-8")):
        if name in _HIDDEN:
            continue
        if name not in there:
            missing.append(f"nss {name}")
            continue
        words = rest.split()
        page = there.get(f"{name} {words[0]}", there[name]) if words else there[name]
        options = {word for one in page.options for word in _OPTION.findall(one.names)} | _ANY
        missing += [f"nss {name} {one}" for one in _OPTION.findall(rest) if one not in options]
    assert missing == []


@pytest.mark.parametrize("path", TEXTS, ids=told)
def test_every_configuration_in_it_is_good(path: Path) -> None:
    for block in _TOML.findall(path.read_text(encoding="utf-8")):
        tables = tomllib.loads(block)
        if "sources" in tables and "feeds" in tables:
            configuration.parse(block, PROJECT)


def test_commands_are_found_where_they_stand() -> None:
    text = "`nss tap --limit 1`\n```sh\nsudo nss stop\n```\nnss says"
    assert list(commands_in(text)) == [("tap", " --limit 1"), ("stop", "")]


def test_the_readme_names_every_command_that_can_end_with_1() -> None:
    (row,) = re.findall(r"(?m)^\| 1 \| .*", (PROJECT / "README.md").read_text(encoding="utf-8"))
    named = set(re.findall(r"`(?:nss )?([a-z][a-z0-9 -]*?)(?: --[a-z-]+)?`", row))
    end_with_1 = {
        name
        for name, page in known().items()
        if re.search(
            r"(exit code is|else) 1\b|exit code is 0 [^.]*\b1 |End with 1",
            " ".join([*page.paragraphs, *(option.help for option in page.options)]),
        )
    }
    assert {"status", "explain", "stop"} <= end_with_1
    assert end_with_1 - named == set()
