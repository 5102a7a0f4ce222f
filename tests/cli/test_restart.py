"""`nss restart`, with a systemctl written down by hand: a real one comes with the package."""

from pathlib import Path

import pytest

from cli.restarting import restart
from nss.errors import ServiceError


def systemctl(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a systemctl into the path; returns where it writes what it was asked for."""
    asked = folder / "asked"
    path = folder / "systemctl"
    path.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n{script}\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return asked


def test_the_unit_is_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = systemctl(tmp_path, "exit 0", monkeypatch)
    assert restart(tmp_path) == 0
    assert asked.read_text() == "cat nss-streamer.service\nrestart nss-streamer.service\n"
    assert capsys.readouterr().out == "Restarted nss-streamer.service.\n"


def test_a_machine_without_systemd_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = systemctl(tmp_path, "exit 0", monkeypatch)
    with pytest.raises(ServiceError, match="systemd does not run this machine\nTry: stop nss run"):
        restart(tmp_path / "missing")
    assert not asked.exists()


def test_a_machine_without_the_unit_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemctl(tmp_path, "exit 1", monkeypatch)
    with pytest.raises(ServiceError, match=r"systemd knows no unit nss-streamer\.service"):
        restart(tmp_path)


def test_a_refusal_is_told_in_the_words_of_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = '[ "$1" = cat ] && exit 0\necho "Access denied" >&2\nexit 4'
    systemctl(tmp_path, script, monkeypatch)
    with pytest.raises(ServiceError, match="systemd refuses: Access denied"):
        restart(tmp_path)
