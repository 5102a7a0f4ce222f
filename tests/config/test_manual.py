"""nss.toml(5) has every setting, in a language that man understands."""

import shutil
import subprocess
from itertools import pairwise

import pytest

from nss.config.manual import manual
from nss.config.model import FeedConfig, ServiceConfig
from nss.config.setting import declared

needs_groff = pytest.mark.skipif(not shutil.which("groff"), reason="there is no groff")


def test_every_setting_has_an_entry() -> None:
    lines = manual().splitlines()
    entries = {entry for tag, entry in pairwise(lines) if tag == ".TP"}
    keys = [entry.key for section in (ServiceConfig, FeedConfig) for entry in declared(section)]
    assert {f"\\fB{key}\\fR" for key in keys} <= entries


def test_nothing_of_markdown_is_left_but_in_examples() -> None:
    is_example = False
    for line in manual().splitlines():
        is_example = {".EX": True, ".EE": False}.get(line, is_example)
        if not is_example:
            assert not line.startswith(("#", "|", "- ", "```")), line
            assert "`" not in line, line


@needs_groff
def test_man_reads_it_without_a_warning() -> None:
    ran = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-k"],  # noqa: S607 - the system's
        input=manual(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "The configuration that the unit runs with." in ran.stdout
