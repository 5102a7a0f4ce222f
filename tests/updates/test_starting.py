"""`nss start` by hand while an update exchanges the packages."""

from pathlib import Path

import pytest

from cli.lifecycle import control
from cli.supervision.systemd import Unit
from nss.updates.failures import UpdateUnderWay
from nss.updates.plan import SWAPPING


class _NeverBegun(Unit):
    def begin(self, *_args: object, **_more: object) -> int | None:
        raise AssertionError("systemd was asked, which passes over such a start without an error")


def test_a_start_that_systemd_would_pass_over_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "FOLDER", tmp_path)
    unit = object.__new__(_NeverBegun)
    with pytest.raises(AssertionError):
        control._begin(unit, tmp_path, "start")
    (tmp_path / SWAPPING).touch()
    with pytest.raises(UpdateUnderWay, match="nothing was started") as caught:
        control._begin(unit, tmp_path, "start")
    assert caught.value.exit_code == 75
