"""`nss checkversion` with a repository: its exit codes, and who may decide what root installs."""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tests.cli.conftest import COMMAND, ENV
from tests.updates.conftest import Serve
from tests.updates.repositories import Trial, pair

pytestmark = [pytest.mark.long, pytest.mark.timeout(200)]
CONFIG = """\
[service]
control_socket = "off"
[spool]
kind = "memory"
[sources.web]
kind = "file"
path = "web.log"
[feeds.out]
format = "QRADAR"
[feeds.out.sink]
kind = "file"
path = "lines"
[updates]
repository = "{url}"
key_file = "key.asc"
timeout_secs = 2
{more}
"""


def configured(folder: Path, trial: Trial, url: str, more: str = "") -> Path:
    config = folder / "nss.toml"
    config.write_text(CONFIG.format(url=url, more=more))
    (folder / "key.asc").write_bytes(trial.key)
    for path in (config, folder / "key.asc"):
        path.chmod(0o644)
    return config


def checkversion(config: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - ours
        [*COMMAND, "checkversion", "--json", "--config", str(config)],
        env=ENV,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


def test_it_names_the_newest(trial: Trial, serve: Serve, folder: Path) -> None:
    ran = checkversion(configured(folder, trial, serve(trial.folder)))
    assert json.loads(ran.stdout)["on_offer"] == "1.10"
    assert ran.returncode in {0, 1}, ran.stderr


def test_a_silent_server_is_97(trial: Trial, silent: int, folder: Path) -> None:
    ran = checkversion(configured(folder, trial, f"http://localhost:{silent}"))
    assert (ran.returncode, json.loads(ran.stdout)["on_offer"]) == (97, None)


def test_a_missing_repository_is_99(trial: Trial, serve: Serve, folder: Path) -> None:
    ran = checkversion(configured(folder, trial, serve(folder)))
    assert (ran.returncode, json.loads(ran.stdout)["on_offer"]) == (99, None)


@pytest.mark.parametrize("fault", ["expired", "not yet", "another key"])
def test_a_client_certificate_that_no_server_takes_is_96_without_a_server(
    trial: Trial, folder: Path, authority: trustme.CA, fault: str
) -> None:
    now = datetime.now(UTC)
    days = {"expired": (-9, -1), "not yet": (1, 9), "another key": (-1, 9)}[fault]
    begins, ends = (now + timedelta(each) for each in days)
    issued = authority.issue_cert("client", not_before=begins, not_after=ends)
    given = pair(issued)
    if fault == "another key":
        given["client_key"] = pair(authority.issue_cert("client"))["client_key"]
    for name, data in given.items():
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o600)
    more = 'client_certificate_file = "client_certificate"\nclient_key_file = "client_key"\n'

    ran = checkversion(configured(folder, trial, "https://localhost:9", more))

    assert ran.returncode == 96, ran.stderr
    assert "client" in ran.stderr


@pytest.mark.parametrize("which", ["nss.toml", "key.asc", "."])
@pytest.mark.parametrize("how", ["group", "others", "owner"])
def test_what_others_may_write_is_refused_before_any_server_is_asked(
    trial: Trial, serve: Serve, folder: Path, which: str, how: str
) -> None:
    config = configured(folder, trial, serve(trial.folder))
    place = folder / which
    if how == "owner":
        os.chown(place, 65534, 0)
    else:
        place.chmod(place.stat().st_mode | (0o020 if how == "group" else 0o002))

    ran = checkversion(config)

    assert "others than root may write" in ran.stderr
    assert ran.returncode not in {0, 1, 96, 97}
    assert json.loads(ran.stdout)["on_offer"] is None
