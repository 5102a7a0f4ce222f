"""`nss run` with a plain command line is recognised without what reads options."""

from pathlib import Path

import pytest

from cli.main import COMPLETING, plain_run
from nss.config import DEFAULT_CONFIG


@pytest.mark.parametrize(
    ("arguments", "config"),
    [
        (["run"], DEFAULT_CONFIG),
        (["run", "-c", "a.toml"], Path("a.toml")),
        (["run", "--config", "a.toml"], Path("a.toml")),
        (["run", "--config=a.toml"], None),
        (["run", "-c", "--help"], None),
        (["run", "-c", ""], None),
        (["run", "-c"], None),
        (["run", "--help"], None),
        (["run", "more"], None),
        (["check", "-c", "a.toml"], None),
        ([], None),
    ],
)
def test_only_a_plain_run_is_one(arguments: list[str], config: Path | None) -> None:
    assert plain_run(arguments, {}) == config


def test_a_shell_that_completes_gets_its_completions() -> None:
    assert plain_run(["run"], {COMPLETING: "complete_bash"}) is None
