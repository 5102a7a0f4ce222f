"""The machine's clock is wrong: what servers that were asked say of it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nss.lab.cloud import CloudLab
from nss.lab.generator import RecordGenerator
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.secret import Secret
from tests.breakages.conftest import Breakages
from tests.faults.conftest import sink, web

pytestmark = pytest.mark.long


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CloudLab]:
    folder = tmp_path / "lab"
    folder.mkdir()
    with CloudLab(folder, requests_per_minute=10_000) as lab:
        yield lab


async def test_a_clock_that_is_wrong(breakages: Breakages, lab: CloudLab) -> None:
    state = breakages.folder / "state"
    state.mkdir()
    CredentialsStore(state, {}).save(
        McasCredentials(
            method="secret",
            client_id=lab.client_id,
            client_secret=Secret(lab.client_secret),
            authentication_url=lab.authentication_url,
            api_url=lab.api_url,
        )
    )
    lab.entra.skew_secs = 7230
    (breakages.folder / "web.log").write_bytes(
        RecordGenerator(1, start_epoch=int(time.time())).batch(5)
    )
    mcas = f'[sync]\ntarget = "off"\n[mcas]\nca_file = "{lab.ca_file}"\n'
    up = sink("cloud_discovery", "max_secs = 1", name="up", preset="MCAS")
    breakages.write(web(), mcas, up)
    text = breakages.config.read_text()
    breakages.config.write_text(text.replace("[service]", '[service]\nstate_directory = "state"'))
    running = await breakages.run()
    await running.reported("service_started")
    await breakages.shows("clock-wrong", {" that of localhost": " that of login.example.com"})
