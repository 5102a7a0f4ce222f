"""What shells complete: commands, options, and names of feeds, presets and fields."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.reference import main
from formats import presets
from formats.fields import catalogue
from tests.cli.conftest import COMMAND, ENV
from tests.cli.test_commands import CONFIG, HEAVY

TWO = CONFIG + CONFIG[CONFIG.index("[feeds.out]") :].replace("feeds.out", "feeds.other")


def asked(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Complete the last word of a command line, as bash asks for it."""
    variables = {
        "_NSS_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    return subprocess.run(  # noqa: S603 - ours
        [COMMAND[0], "-X", "importtime", *COMMAND[1:]],
        env=ENV | variables,
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=30,
        check=False,
    )


def completed(line: str, folder: Path) -> list[str]:
    ran = asked(line, folder)
    assert all(row.startswith("import time:") for row in ran.stderr.splitlines())
    return ran.stdout.split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nss.toml").write_text(TWO)
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "nss tap --config nss.toml --feed o",
        "nss tap -c nss.toml --feed o",
        "nss rejects -c nss.toml --feed o",
        "nss rejects retry -c nss.toml --feed o",
        "nss replay --config nss.toml --feed o",
        "nss explain --config nss.toml --feed o",
        "nss upload-now --config nss.toml o",
    ],
)
def test_feeds_of_the_configuration_are_completed(folder: Path, line: str) -> None:
    assert completed(line, folder) == ["out", "other"]
    assert completed(f"{line}u", folder) == ["out"]


def test_sources_that_have_messages_are_completed(folder: Path) -> None:
    (folder / "nss.toml").write_text(
        'sources.in.kind = "kafka"\nsources.web.kind = "tcp"\nsources.odd = 3\n'
    )
    assert completed("nss tap -c nss.toml --source ", folder) == ["in"]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("nss presets QR", ["QRADAR", "QRADAR_OLD"]),
        ("nss presets qr", ["qradar", "qradar_old"]),
        ("nss render --to MC", ["MCAS"]),
        ("nss render --from j", ["json", "json"]),
        ("nss render --from a", ["auto", "arcsight_cef"]),
        ("nss explain x --to csv", ["csv", "csv_old"]),
        ("nss configure --format MC", ["MCAS"]),
        ("nss fields elog", ["elogin"]),
        ("nss rejects r", ["retry"]),
        ("nss rejects d", ["discard"]),
        ("nss pre", ["presets"]),
    ],
)
def test_names_are_completed_in_the_case_in_which_they_are_typed(
    folder: Path, line: str, names: list[str]
) -> None:
    assert completed(line, folder) == names


def test_all_presets_and_fields_are_offered(folder: Path) -> None:
    assert completed("nss presets ", folder) == list(presets.names())
    assert completed("nss fields ", folder) == list(catalogue())


@pytest.mark.parametrize(
    "text",
    [
        b"[feeds",
        b"feeds = 3",
        b"\xff",
        b"feeds = [1]",
        b"[feeds.'a b']\n[feeds.\"x;rm\"]\n[feeds.'\x1b[2J']\n",
        b"x = " + b"[" * 10_000,
    ],
)
def test_a_configuration_that_can_not_be_read_completes_nothing_and_says_nothing(
    folder: Path, text: bytes
) -> None:
    (folder / "nss.toml").write_bytes(text)
    assert completed("nss tap -c nss.toml --feed ", folder) == []
    assert completed("nss tap -c missing.toml --feed ", folder) == []


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert completed("nss tap -c pipe --feed ", folder) == []


@pytest.mark.parametrize("line", ["nss tap -c nss.toml --feed o", "nss presets q", "nss fields e"])
def test_a_completion_imports_nothing_that_takes_its_time(folder: Path, line: str) -> None:
    ran = asked(line, folder)
    imported = {row.rpartition("|")[2].strip() for row in ran.stderr.splitlines()}
    assert ran.stdout
    assert imported.isdisjoint({*HEAVY, "nss.config.load", "nss.config.model"})


@pytest.mark.skipif(sys.platform != "linux", reason="a shell of Linux")
def test_bash_takes_what_the_package_installs(folder: Path) -> None:
    main(["completions", str(folder / "share")])
    own = folder / "nss"
    own.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    own.chmod(0o755)
    script = (
        f"source {folder}/share/bash-completion/completions/nss\n"
        'COMP_WORDS=(nss tap -c nss.toml --feed ot); COMP_CWORD=5; COMP_LINE="${COMP_WORDS[*]}"\n'
        '_nss_completion nss; echo "${COMPREPLY[@]}"\n'
    )
    ran = subprocess.run(  # noqa: S603 - ours
        ["/bin/bash", "-c", script],
        env=ENV | {"PATH": f"{folder}:{ENV['PATH']}"},
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=30,
        check=False,
    )
    assert (ran.stdout, ran.stderr) == ("other\n", "")
