"""Configuration files on the way back: the administrator's stay, the package's go with it."""

import hashlib
from pathlib import Path

import pytest

from nss.updates import packages

NEWER = b"# of the newer version\n"
OLDER = b"# of the version before\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one configuration file, of which dpkg says that the newer version brought it."""
    path = tmp_path / "etc/nss.toml"
    path.parent.mkdir()
    path.write_bytes(OLDER)
    path.chmod(0o640)
    brought = hashlib.md5(NEWER, usedforsecurity=False).hexdigest()
    gone = tmp_path / "etc/gone.toml"
    shown = f"\n {path} {brought} obsolete\n {gone} {brought}"
    monkeypatch.setattr(packages, "field", lambda name: {"Conffiles": shown}[name])
    packages.keep_conffiles(tmp_path / "kept")
    return path


@pytest.mark.parametrize(
    ("now", "then"),
    [(NEWER, OLDER), (OLDER, OLDER), (b"# of somebody\n", b"# of somebody\n")],
    ids=["of the newer version", "as it was", "changed meanwhile"],
)
def test_what_the_newer_version_brought_goes_and_what_somebody_wrote_stays(
    config: Path, tmp_path: Path, now: bytes, then: bytes
) -> None:
    config.write_bytes(now)
    packages.restore_conffiles(tmp_path / "kept")
    assert config.read_bytes() == then
    assert config.stat().st_mode & 0o777 == 0o640
    assert list(config.parent.iterdir()) == [config]


def test_a_file_that_was_removed_stays_so(config: Path, tmp_path: Path) -> None:
    config.unlink()
    packages.restore_conffiles(tmp_path / "kept")
    assert not config.exists()


def test_nothing_kept_is_nothing_to_put_back(config: Path, tmp_path: Path) -> None:
    config.write_bytes(NEWER)
    packages.restore_conffiles(tmp_path / "never")
    assert config.read_bytes() == NEWER


def test_a_second_update_keeps_them_anew(config: Path, tmp_path: Path) -> None:
    config.write_bytes(b"# another\n")
    packages.keep_conffiles(tmp_path / "kept")
    config.write_bytes(NEWER)
    packages.restore_conffiles(tmp_path / "kept")
    assert config.read_bytes() == b"# another\n"
