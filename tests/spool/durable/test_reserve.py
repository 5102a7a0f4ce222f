"""The space that is set aside for a full disk."""

import os
from pathlib import Path

import pytest

from nss.spool.durable.reserve import RESERVE_BYTES, Reserve

ENOUGH = 2 * RESERVE_BYTES


def made(path: Path, free_bytes: int) -> Reserve:
    return Reserve(path, lambda _folder: free_bytes)


def test_it_takes_its_space_for_real(path: Path) -> None:
    assert made(path, ENOUGH).is_spent
    kept = made(path, ENOUGH)

    assert kept.restore()

    found = path.with_name("spool.db.reserve").stat()
    assert not kept.is_spent
    assert (found.st_size, found.st_mode & 0o777) == (RESERVE_BYTES, 0o600)
    assert found.st_blocks * 512 >= RESERVE_BYTES


def test_it_is_made_only_when_as_much_stays_free(path: Path) -> None:
    assert not made(path, ENOUGH - 1).restore()
    assert list(path.parent.iterdir()) == []
    assert made(path, ENOUGH).restore()
    assert made(path, 0).restore()  # it is there


@pytest.mark.parametrize(
    ("free_bytes", "spent"), [(RESERVE_BYTES // 2 - 1, True), (RESERVE_BYTES // 2, False)]
)
def test_a_start_spends_it_only_without_space(path: Path, free_bytes: int, *, spent: bool) -> None:
    assert made(path, ENOUGH).restore()

    kept = made(path, free_bytes)
    kept.spend_if_needed()

    assert kept.is_spent is spent
    assert kept.spend() is not spent  # it makes space once


def test_what_could_not_be_filled_is_not_left_behind(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_number: int, _offset: int, _size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)

    assert not made(path, ENOUGH).restore()
    assert list(path.parent.iterdir()) == []


def test_a_link_that_leads_nowhere_is_not_followed(path: Path) -> None:
    target = path.parent / "target"
    path.with_name("spool.db.reserve").symlink_to(target)

    assert not made(path, ENOUGH).restore()

    assert not target.exists()
