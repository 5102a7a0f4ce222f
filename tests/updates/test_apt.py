"""The real apt against real servers: what is found, and what each refusal is called."""

import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from nss.updates import apt
from nss.updates.failures import ClientRefused, ServerTimedOut, UpdateFailed
from tests.updates.conftest import TIMEOUT_SECS, Ask, Serve
from tests.updates.repositories import Trial, pair, pictured, tiny, wanting_clients

pytestmark = [pytest.mark.long, pytest.mark.timeout(200)]
BOTH = pytest.mark.parametrize(
    "tls", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"]
)


def test_the_newest_comes_first_and_what_is_downloaded_is_the_package(
    trial: Trial, packages: dict[str, Path], serve: Serve, ask: Ask, folder: Path
) -> None:
    found = ask(serve(trial.folder))

    assert [each.version for each in found] == ["1.10", "1.9", "1.0"]
    assert (found[0].size, found[0].spool_form) == (packages["1.10"].stat().st_size, 7)
    apt.download(folder / "apt", found[0], folder / "new.deb")
    assert (folder / "new.deb").read_bytes() == packages["1.10"].read_bytes()


def test_nothing_of_the_machine_s_own_apt_is_touched(
    trial: Trial, serve: Serve, ask: Ask, folder: Path
) -> None:
    places = ("/var/lib/apt", "/var/cache/apt", "/etc/apt", "/var/log/apt", "/var/lib/dpkg")
    before = pictured(*places)

    found = ask(serve(trial.folder))
    apt.check_dependencies(folder / "apt", found[0].version)
    apt.download(folder / "apt", found[0], folder / "new.deb")

    assert pictured(*places) == before


@BOTH
def test_a_client_that_is_known_is_served(
    trial: Trial, serve: Serve, ask: Ask, authority: trustme.CA, tls: ssl.TLSVersion
) -> None:
    url = serve(trial.folder, wanting_clients(authority, tls))
    known = pair(authority.issue_cert("client"))
    assert ask(url, trust=authority.cert_pem.bytes(), **known)[0].version == "1.10"


@BOTH
@pytest.mark.parametrize("client", ["missing", "unknown", "expired"])
def test_a_client_that_the_server_refuses_is_told_so(
    trial: Trial, serve: Serve, ask: Ask, authority: trustme.CA, tls: ssl.TLSVersion, client: str
) -> None:
    url = serve(trial.folder, wanting_clients(authority, tls))
    now = datetime.now(UTC)
    given: dict[str, bytes] = {}
    if client == "unknown":
        given = pair(trustme.CA().issue_cert("client"))
    elif client == "expired":
        ended, began = now - timedelta(1), now - timedelta(9)
        given = pair(authority.issue_cert("client", not_before=began, not_after=ended))

    with pytest.raises(ClientRefused, match="refuses this client") as caught:
        ask(url, trust=authority.cert_pem.bytes(), **given)
    assert caught.value.exit_code == 96
    assert "client_certificate_file" in str(caught.value.tip)


@pytest.mark.parametrize("status", [400, 401, 403, 495, 496])
def test_so_is_one_that_is_refused_by_http(
    trial: Trial, serve: Serve, ask: Ask, status: int
) -> None:
    with pytest.raises(ClientRefused, match=str(status)):
        ask(serve(trial.folder, None, status))


@pytest.mark.parametrize("status", [301, 302, 404, 500, 503])
def test_another_answer_of_http_is_no_refusal_and_no_matter_of_the_key(
    trial: Trial, serve: Serve, ask: Ask, status: int
) -> None:
    with pytest.raises(UpdateFailed, match=str(status)) as caught:
        ask(serve(trial.folder, None, status))
    assert caught.value.exit_code == 99
    assert "updates.repository" in str(caught.value.tip)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_says_nothing_is_a_time_out(ask: Ask, silent: int, scheme: str) -> None:
    began = time.monotonic()
    with pytest.raises(ServerTimedOut) as caught:
        ask(f"{scheme}://localhost:{silent}")
    # apt asks twice where a connection ends without an answer.
    assert TIMEOUT_SECS * 0.9 < time.monotonic() - began < 2 * TIMEOUT_SECS + 3
    assert caught.value.exit_code == 97


def test_a_refused_connection_is_no_time_out(ask: Ask) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(UpdateFailed, match=r"can't be reached.*refused") as caught:
            ask(f"http://localhost:{taken.getsockname()[1]}")
    assert caught.value.exit_code == 99


def test_a_server_of_another_authority_is_not_trusted(
    trial: Trial, serve: Serve, ask: Ask, authority: trustme.CA
) -> None:
    url = serve(trial.folder, wanting_clients(authority, ssl.TLSVersion.TLSv1_3))
    with pytest.raises(UpdateFailed, match="own certificate is not trusted") as caught:
        ask(url, trust=trustme.CA().cert_pem.bytes(), **pair(authority.issue_cert("client")))
    assert caught.value.exit_code == 99
    assert "trust_file" in str(caught.value.tip)


def test_another_key_s_signature_counts_for_nothing(
    packages: dict[str, Path], tmp_path: Path, serve: Serve, ask: Ask
) -> None:
    other = Trial(tmp_path)
    other.publish(packages["1.0"])
    with pytest.raises(UpdateFailed, match=r"not signed by the key in updates\.key_file") as caught:
        ask(serve(other.folder))
    assert caught.value.exit_code == 99
    assert "key" in str(caught.value.tip)


def test_an_index_that_was_changed_is_refused(
    trial: Trial, tmp_path: Path, serve: Serve, ask: Ask
) -> None:
    changed = trial.copy(tmp_path / "changed")
    release = changed.folder / "dists/stable/InRelease"
    release.write_text(release.read_text().replace("Label: NSS", "Label: NSX"))
    with pytest.raises(UpdateFailed, match="not signed by the key"):
        ask(serve(changed.folder))


def test_an_index_past_its_time_is_refused(
    trial: Trial, packages: dict[str, Path], tmp_path: Path, serve: Serve, ask: Ask
) -> None:
    old = trial.copy(tmp_path / "old")
    old.publish(packages["1.0"], valid_days=-0.5)
    with pytest.raises(UpdateFailed, match="out of date") as caught:
        ask(serve(old.folder))
    assert caught.value.exit_code == 99
    assert "timedatectl" in str(caught.value.tip)


@pytest.mark.parametrize("how", ["changed", "longer", "shorter", "gone"])
def test_a_package_that_is_not_the_one_in_the_index_is_not_kept(
    trial: Trial, tmp_path: Path, serve: Serve, ask: Ask, folder: Path, how: str
) -> None:
    broken = trial.copy(tmp_path / "broken")
    package = broken.folder / "pool/nss-streamer_1.10_amd64.deb"
    data = bytearray(package.read_bytes())
    data[-30] ^= 1
    data = {"changed": data, "longer": data + b"more", "shorter": data[:-20]}.get(how, data)
    package.write_bytes(data)
    if how == "gone":
        package.unlink()

    newest = ask(serve(broken.folder))[0]
    with pytest.raises(
        UpdateFailed, match="does not have" if how == "gone" else "damaged"
    ) as caught:
        apt.download(folder / "apt", newest, folder / "new.deb")
    assert caught.value.exit_code == 99
    assert "who runs the repository" in str(caught.value.tip)
    assert not (folder / "new.deb").exists()


def test_a_version_that_needs_what_is_not_there_is_refused_and_the_need_named(
    tmp_path: Path, serve: Serve, ask: Ask, folder: Path
) -> None:
    needing = Trial(tmp_path)
    needing.publish(tiny(tmp_path, "2.0", more="Depends: there-is-no-such-package\n"))
    ask(serve(needing.folder), key=needing.key)
    with pytest.raises(UpdateFailed, match="there-is-no-such-package") as caught:
        apt.check_dependencies(folder / "apt", "2.0")
    assert "from the distribution" in str(caught.value.tip)


@pytest.fixture
def full(folder: Path) -> Iterator[Path]:
    """A small file system, for apt's folders."""
    place = folder / "apt"
    place.mkdir()
    mount = ["/usr/bin/env", "mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "none", str(place)]
    ran = subprocess.run(mount, capture_output=True, text=True, check=False)  # noqa: S603
    if ran.returncode:
        pytest.skip(f"updates: no file system can be mounted here: {ran.stderr.strip()}")
    yield place
    subprocess.run(["/usr/bin/env", "umount", place], check=True)  # noqa: S603


def test_a_full_disk_is_called_so(trial: Trial, serve: Serve, full: Path) -> None:
    access = apt.Access(
        repository=serve(trial.folder), suite="stable", key=trial.key, timeout_secs=TIMEOUT_SECS
    )
    apt.prepare(full / "in", access)
    with (full / "fill").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 10)):
                pass
        except OSError:
            pass
    with pytest.raises(UpdateFailed, match="disk is full") as caught:
        apt.offers(full / "in", TIMEOUT_SECS)
    assert "make room" in str(caught.value.tip)


def test_keys_that_apt_reads_are_its_user_s_alone(
    trial: Trial, serve: Serve, ask: Ask, folder: Path, authority: trustme.CA
) -> None:
    url = serve(trial.folder)
    ask(url, proxy="DIRECT", **pair(authority.issue_cert("client")))
    private = folder / "apt/private"
    assert private.stat().st_mode & 0o077 == 0
    assert (private / "SslKey").read_bytes().startswith(b"-----BEGIN")
    assert {path.stat().st_mode & 0o077 for path in private.iterdir()} == {0}
    assert (folder / "apt/apt.conf").stat().st_mode & 0o077 == 0
