"""The service in a container: the stream, what it may do, how it ends, and what survives."""

import http.client
import os
import shutil
from pathlib import Path

import orjson

from tests.container.conftest import configuration
from tests.container.podman import USER, Podman, ip
from tests.package.collector import Collector
from tests.package.machine import THERE, wait_for
from tests.package.sending import TOKEN, Load, over_http, over_tcp

HEALTH = ("sh", "-c", "nss status --json | grep -Eq '\"alive\": ?true'")
RELAY = 5514

COPY = """
[feeds.copy]
format = "JSON"
[feeds.copy.sink]
kind = "file"
path = "/var/lib/nss/copy"
"""


def answer_to(path: str) -> int:
    """Return the status of a page of the metrics port, asked for from outside."""
    connection = http.client.HTTPConnection(THERE, 9632, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_records_come_in_over_tcp_and_http_and_reach_a_collector_as_leef(
    podman: Podman, mounts: list[str], collector: Collector
) -> None:
    podman.run(*mounts)
    podman.wait_until_ready()
    assert (answer_to("/livez"), answer_to("/readyz")) == (200, 200)
    podman.inside(*HEALTH)
    over_tcp({"ana@example.com"}, RELAY)
    assert over_http({"ben@example.com"}) == 200
    collector.wait_for_users({"ana@example.com", "ben@example.com"})
    assert all("LEEF:1.0|Zscaler|NSS|" in line for line in collector.lines())
    first = orjson.loads(podman.logs().splitlines()[0])
    assert first["level"] == "info"


def test_it_runs_as_nobody_special_in_a_root_that_it_cannot_write(
    podman: Podman, mounts: list[str]
) -> None:
    podman.run(*mounts)
    podman.wait_until_ready()
    rows = Path(f"/proc/{podman.pid()}/status").read_text(encoding="ascii").splitlines()
    facts = dict(row.split(":\t", 1) for row in rows)
    assert {*facts["Uid"].split(), *facts["Gid"].split()} == {str(USER)}
    assert {facts[key] for key in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {"0" * 16}
    assert facts["NoNewPrivs"] == "1"
    for place in ("/", "/etc/nss", "/opt/nss-streamer", "/usr"):
        refused = podman.inside("touch", f"{place}/x", code=1).stderr
        assert "Read-only file system" in refused
    podman.inside("touch", "/var/lib/nss/x")


def test_what_was_accepted_survives_a_kill_under_load(
    podman: Podman, mounts: list[str], collector: Collector
) -> None:
    podman.run(*mounts)
    podman.wait_until_ready()
    with Load() as load:
        wait_for(lambda: len(load.accepted) >= 1000, "records were accepted", 60)
        before = len(load.accepted)
        podman("kill", "--signal=KILL", "nss")
        assert podman.exit_code() == 137
        podman("start", "nss")
        podman.wait_until_ready()
        wait_for(lambda: len(load.accepted) >= before + 500, "records are accepted again", 60)
    collector.wait_for_users(load.accepted)
    status = podman.status()
    assert status["health"]["ok"], status["health"]


def test_a_new_container_on_the_same_volume_goes_on_where_the_old_one_was_cut_off(
    podman: Podman, mounts: list[str], collector: Collector
) -> None:
    ip("link", "set", "cable", "up")
    podman.run(*mounts)
    podman.wait_until_ready()
    with Load() as load:
        wait_for(lambda: len(load.accepted) >= 500, "records were accepted", 60)
        podman("kill", "--signal=KILL", "nss")
    podman.remove()
    podman.run(*mounts)
    podman.wait_until_ready()
    collector.wait_for_users(load.accepted)


def test_sigterm_ends_it_within_the_grace_with_nothing_pending(
    podman: Podman, mounts: list[str], collector: Collector
) -> None:
    podman.run(*mounts)
    podman.wait_until_ready()
    users = {f"user{number}@example.com" for number in range(500)}
    assert over_http(users) == 200
    podman("stop", "nss")
    assert podman.exit_code() == 0
    collector.wait_for_users(users, 5)


def test_sigterm_with_a_dead_collector_keeps_what_is_pending_and_says_so(
    podman: Podman, mounts: list[str], collector: Collector, tmp_path: Path
) -> None:
    file = tmp_path / "nss/nss.toml"
    working = file.read_text(encoding="utf-8")
    file.write_text(working.replace(f":{collector.tcp}", ":9"), encoding="utf-8")
    podman.run(*mounts)
    podman.wait_until_ready()
    assert over_http({"late@example.com"}) == 200
    podman("stop", "nss")
    assert podman.exit_code() == 75
    file.write_text(working, encoding="utf-8")
    podman("start", "nss")
    collector.wait_for_users({"late@example.com"})


def test_without_a_configuration_it_says_so(podman: Podman) -> None:
    ran = podman.once()
    assert ran.returncode == 66
    assert "configuration: no such file or directory (/etc/nss/nss.toml)" in ran.stderr
    assert podman.once("--version").stdout.startswith("nss ")


def test_volumes_are_taken_as_the_kubelet_lays_them_out(
    podman: Podman, collector: Collector, tmp_path: Path
) -> None:
    config, secrets, state, run = (tmp_path / name for name in ("config", "keys", "state", "run"))
    credentials = {
        "method": "secret",
        "client_id": "00000000-0000-0000-0000-000000000001",
        "client_secret": "not~a-real-secret-0123456789-abcdefgh",
        "authentication_url": "https://login.microsoftonline.com/"
        "00000000-0000-0000-0000-000000000002/oauth2/v2.0/token",
        "api_url": "https://contoso.us3.portal.cloudappsecurity.com",
    }
    settings = configuration(collector, "/run/secrets/nss")
    project(config, {"nss.toml": settings.encode()})
    project(secrets, {"mcas.json": orjson.dumps(credentials), "push.token": TOKEN.encode()})
    for folder, mode in ((state, 0o2775), (run, 0o2777)):
        folder.mkdir()
        os.chown(folder, 0, USER)
        folder.chmod(mode)
    podman.run(
        *(f"--volume={config}:/etc/nss:ro", f"--volume={secrets}:/run/secrets/nss:ro"),
        *(f"--volume={state}:/var/lib/nss", f"--volume={run}:/run/nss"),
        "--env=CREDENTIALS_DIRECTORY=/run/secrets/nss",
    )
    podman.wait_until_ready()
    shown = podman.inside("nss", "show-mcas2").stdout
    assert credentials["client_id"] in shown
    assert credentials["client_secret"] not in shown + podman.logs()
    assert over_http({"pod@example.com"}) == 200
    collector.wait_for_users({"pod@example.com"})
    project(config, {"nss.toml": (settings + COPY).encode()})
    assert "feed copy" in podman.inside("nss", "reload").stdout


def project(volume: Path, files: dict[str, bytes]) -> None:
    """Lay files out as a projected volume, or exchange all of them at once."""
    number = len(list(volume.glob("..2026_*"))) if volume.exists() else 0
    data = volume / f"..2026_11_27.{number}"
    data.mkdir(parents=True)
    for name, content in files.items():
        (data / name).write_bytes(content)
        os.chown(data / name, 0, USER)
        (data / name).chmod(0o440)
    (volume / "..data_tmp").symlink_to(data.name)
    (volume / "..data_tmp").rename(volume / "..data")
    for name in files:
        if not (volume / name).is_symlink():
            (volume / name).symlink_to(f"..data/{name}")
    os.chown(volume, 0, USER)
    volume.chmod(0o3777)
    for old in volume.glob("..2026_*"):
        if old != data:
            shutil.rmtree(old)
