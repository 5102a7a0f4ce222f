"""The image in containers; `make test-container` builds it and says where it is."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.podman import USER, VOLUME, Podman, plug_in
from tests.package.collector import Collector, collecting
from tests.package.machine import HERE
from tests.package.sending import TOKEN

HOME = Path(__file__).parent
TEST_SECS = 400


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="in containers: make test-container")
    limit = pytest.mark.timeout(TEST_SECS)
    for item in items:
        if HOME in item.path.parents:
            item.add_marker(limit if "NSS_IMAGE" in os.environ else skip)


@pytest.fixture(scope="session")
def image() -> Path:
    """The folder that the image was built into."""
    return Path(os.environ["NSS_IMAGE"])


@pytest.fixture(scope="session")
def loaded(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """Podman with the image, and a network for its containers."""
    plug_in()
    podman = Podman(tmp_path_factory.mktemp("podman"))
    podman.load(next(image.glob("*.oci.tar")))
    yield podman
    podman("rmi", "--all", "--force", code=None)


@pytest.fixture
def podman(loaded: Podman) -> Iterator[Podman]:
    """Podman without a container or a volume."""
    yield loaded
    loaded.remove()
    loaded("volume", "rm", "--force", VOLUME, code=None)


@pytest.fixture
def collector(tmp_path: Path, loaded: Podman) -> Iterator[Collector]:
    """Start rsyslog at our end of the cable."""
    assert loaded.image
    with collecting(tmp_path) as made:
        yield made


@pytest.fixture
def mounts(tmp_path: Path, collector: Collector) -> list[str]:
    """Mount a configuration, a token and a volume, as the guide does."""
    folder = tmp_path / "nss"
    folder.mkdir()
    (folder / "nss.toml").write_text(configuration(collector))
    token = tmp_path / "push.token"
    token.write_text(TOKEN)
    token.chmod(0o400)
    os.chown(token, USER, USER)
    return [
        f"--volume={folder}:/etc/nss:ro",
        f"--volume={token}:/run/secrets/push.token:ro",
        f"--volume={VOLUME}:/var/lib/nss",
    ]


def configuration(collector: Collector, secrets: str = "/run/secrets") -> str:
    """Return a configuration: TCP and HTTP in, one feed to the collector out."""
    return f"""\
[service]
log_format = "json"
metrics_listen = ":9632"
drain_secs = 3.0

[sources.relay]
kind = "tcp"
listen = ":5514"

[sources.push]
kind = "http"
listen = ":8088"
token_file = "{secrets}/push.token"

[feeds.mcas]
format = "MCAS"
[feeds.mcas.sink]
kind = "syslog_tcp"
destinations = ["{HERE}:{collector.tcp}"]
"""
