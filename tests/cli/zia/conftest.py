"""The ZIA commands as an administrator runs them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nss.lab.cloud import CloudLab
from nss.zia.credentials import ZiaCredentialsStore
from tests.cli.mcas.conftest import Office


class ZiaOffice(Office):
    """An office with what the lab's ZIA takes."""

    @property
    def config(self) -> Path:
        path = self.folder / "nss.toml"
        path.write_text(
            f'[service]\nstate_directory = "{self.state}"\ncontrol_socket = "nss.sock"\n'
            f'[mcas]\nca_file = "{self.lab.ca_file}"\n'
            f'[zia]\nca_file = "{self.lab.ca_file}"\n{self.extra}\n{self.feeds}'
        )
        return path

    @property
    def zia_store(self) -> ZiaCredentialsStore:
        return ZiaCredentialsStore(self.state, {})

    @property
    def one_api(self) -> list[str]:
        """The options of what the lab takes, without the secret."""
        lab = self.lab
        return [
            *("--client-id", lab.zia.one_api.client_id, "--cloud", lab.one_api_url),
            *("--vanity-domain", lab.one_api_token_url),
        ]

    @property
    def secret(self) -> dict[str, str]:
        return {"NSS_ZIA_CLIENT_SECRET": self.lab.zia.one_api.secret}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[ZiaOffice]:
    (tmp_path / "state").mkdir()
    (tmp_path / "lab").mkdir()
    with CloudLab(tmp_path / "lab", requests_per_minute=1000) as lab:
        yield ZiaOffice(tmp_path, lab)
