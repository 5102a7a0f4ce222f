"""Who has a password, as the console's set-up sees it: one that is locked is none to replace."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "packaging/appliance/root"
PROGRAM = ROOT / "usr/lib/nss-appliance/first-password"
HASH = "$y$j9T$salt$hash"


@pytest.mark.parametrize(
    ("field", "is_missing"),
    [("!", True), ("*", True), ("!*", True), ("", True), (HASH, False), (f"!{HASH}", False)],
)
def test_only_a_password_that_was_never_set_may_be_set(
    tmp_path: Path,
    field: str,
    is_missing: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    getent = tmp_path / "getent"
    getent.write_text(f"#!/bin/sh\necho 'admin:{field}:20000:0:99999:7:::'\n")
    getent.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    asked = subprocess.run(  # noqa: S603 - ours
        [str(PROGRAM), "--is-missing"], env={"PATH": path}, timeout=10, check=False
    )
    assert (asked.returncode == 0) is is_missing


def test_who_can_not_be_looked_up_gets_no_dialogue(tmp_path: Path) -> None:
    getent = tmp_path / "getent"
    getent.write_text("#!/bin/sh\nexit 2\n")
    getent.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    asked = subprocess.run(  # noqa: S603 - ours
        [str(PROGRAM), "--is-missing"], env={"PATH": path}, timeout=10, check=False
    )
    assert asked.returncode == 1
