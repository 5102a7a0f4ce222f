"""Man pages, completions and the page of commands are those of the declarations."""

import subprocess
from pathlib import Path

import pytest

from cli.groups import GROUPS, OTHERS
from cli.reference import Page, main, man, markdown, pages
from tests.cli.conftest import COMMAND, ENV

PROJECT = Path(__file__).parent.parent.parent


def test_the_page_of_commands_is_up_to_date() -> None:
    written = (PROJECT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == markdown(), "make docs writes it again"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_command_has_a_sentence_an_example_and_help_for_each_option(page: Page) -> None:
    assert page.paragraphs[0].endswith(".")
    assert [option.names for option in page.options if not option.help] == []
    if not page.commands:
        assert page.examples
        assert all(page.name in example for example in page.examples)


def test_a_man_page_has_all_of_a_command() -> None:
    page = next(page for page in pages() if page.name == "nss start")
    text = man(page)
    sections = [line for line in text.splitlines() if line.startswith(".SH")]
    assert sections == [
        ".SH NAME",
        ".SH SYNOPSIS",
        ".SH DESCRIPTION",
        ".SH OPTIONS",
        ".SH EXAMPLE",
        ".SH SEE ALSO",
    ]
    assert "\\-\\-config, \\-c FILE" in text


def test_a_page_says_what_an_option_takes() -> None:
    text = markdown()
    assert "| `--seconds NUMBER` |" in text
    assert r"| `--role admin\|viewer` |" in text
    assert "| `--zone TEXT` |" in text


def test_a_group_that_does_something_by_itself_needs_no_command() -> None:
    assert "    nss portal [OPTIONS] [COMMAND]\n" in markdown()
    assert "    nss troubleshoot COMMAND\n" in markdown()


def test_commands_stand_below_the_headings_of_the_help() -> None:
    text = markdown()
    places = [text.index(f"\n## {heading}\n") for heading in GROUPS]
    assert places == sorted(places)
    assert text.index("\n## Repair\n") < text.index("\n### nss rejects\n") < places[-1]
    page = man(pages()[0])
    assert [line for line in page.splitlines() if line.startswith(".SS")] == [
        *(".SS Run", ".SS Look", ".SS Update", ".SS Set up", ".SS Repair", ".SS Try"),
    ]


def test_every_command_has_a_group() -> None:
    assert {page.name for page in pages() if page.heading == OTHERS} == set()


def test_there_is_a_completion_for_each_shell(tmp_path: Path) -> None:
    main(["completions", str(tmp_path)])
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "_nss",
        "nss",
        "nss.fish",
    ]
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or "_NSS_COMPLETE" in path.read_text()


def test_bash_completes_a_command() -> None:
    asked = {"_NSS_COMPLETE": "complete_bash", "COMP_WORDS": "nss sta", "COMP_CWORD": "1"}
    ran = subprocess.run(  # noqa: S603 - ours
        COMMAND, env=ENV | asked, capture_output=True, text=True, timeout=30, check=False
    )
    assert sorted(ran.stdout.split()) == ["start", "status"]
