"""Repositories of tiny packages, signed by keys for trial, behind real servers."""

import os
import shutil
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from nss.updates.apt import Access, Offer, offers, prepare
from tests.updates.repositories import Site, Trial, tiny

_NEEDED = ("apt-get", "apt-cache", "gpg", "gpgconf", "dpkg-deb", "dpkg-scanpackages")
TIMEOUT_SECS = 2.0

Ask = Callable[..., list[Offer]]
Serve = Callable[..., str]


@pytest.fixture(autouse=True, scope="session")
def able() -> None:
    """Skip where apt can't be run as in an update."""
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if os.geteuid() != 0:
        pytest.skip("updates: only root runs apt as an update does")
    if missing:
        pytest.skip(f"updates: no {', '.join(missing)}; try: apt-get install apt gpg dpkg-dev")


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny packages by their versions."""
    folder = tmp_path_factory.mktemp("packages")
    return {version: tiny(folder, version) for version in ("1.0", "1.10", "1.9")}


@pytest.fixture(scope="session")
def trial(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """A repository with versions 1.0, 1.9 and 1.10, which nobody changes."""
    made = Trial(tmp_path_factory.mktemp("trial"))
    made.publish(*packages.values())
    return made


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve folders, by HTTP or HTTPS, until the test ends; returns the URL."""
    sites: list[Site] = []

    def begin(folder: Path, context: ssl.SSLContext | None = None, status: int = 0) -> str:
        sites.append(Site(folder, context, status))
        return sites[-1].url

    yield begin
    for site in sites:
        site.end()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that apt's own user can reach, unlike pytest's."""
    base = Path(tempfile.mkdtemp(prefix="nss-test-updates-"))
    base.chmod(0o755)
    yield base
    shutil.rmtree(base)


@pytest.fixture
def ask(folder: Path, trial: Trial) -> Ask:
    """Ask a repository what it offers; apt's folders are in `folder`/apt."""

    def offered(url: str, **more: object) -> list[Offer]:
        given = {"key": trial.key, "timeout_secs": TIMEOUT_SECS, "suite": "stable"} | more
        prepare(folder / "apt", Access(repository=url, **given))  # type: ignore[arg-type]
        return offers(folder / "apt", TIMEOUT_SECS)

    return offered


@pytest.fixture
def authority() -> trustme.CA:
    """Who signs the server's certificate and those of its clients."""
    return trustme.CA()


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
