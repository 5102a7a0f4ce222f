"""The lab's ZIA, and what talks to it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nss.config.model import McasConfig, ZiaConfig
from nss.config.sync import SyncConfig
from nss.lab.cloud import CloudLab
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.secret import Secret
from nss.setup.zia import ZiaSetup, zia_setup_of
from nss.zia.credentials import Method, ZiaCredentials


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CloudLab]:
    (tmp_path / "lab").mkdir()
    with CloudLab(tmp_path / "lab") as lab:
        yield lab


@pytest.fixture
def setup(tmp_path: Path, lab: CloudLab) -> ZiaSetup:
    """A state directory with the application of MCAS stored."""
    folder = tmp_path / "state"
    folder.mkdir()
    CredentialsStore(folder, {}).save(
        McasCredentials(
            method="secret",
            client_id=lab.client_id,
            client_secret=Secret(lab.client_secret),
            authentication_url=lab.authentication_url,
            api_url=lab.api_url,
        )
    )
    zia, mcas = ZiaConfig(ca_file=lab.ca_file), McasConfig(ca_file=lab.ca_file)
    return zia_setup_of(folder, zia, mcas, SyncConfig())


@pytest.fixture
def good(lab: CloudLab) -> Callable[[Method], ZiaCredentials]:
    """Credentials that the lab takes, of each kind."""

    def make(method: Method) -> ZiaCredentials:
        if method == "legacy":
            sessions = lab.zia.sessions
            return ZiaCredentials(
                method=method,
                username=sessions.username,
                password=Secret(sessions.password),
                api_key=Secret(sessions.api_key),
                api_url=lab.zia_api_url,
            )
        if method == "entra":
            return ZiaCredentials(method=method, scope=lab.zia_scope, api_url=lab.zia_api_url)
        is_key = method == "oneapi_key"
        return ZiaCredentials(
            method=method,
            client_id=lab.zia.one_api.client_id,
            client_secret=None if is_key else Secret(lab.zia.one_api.secret),
            private_key=lab.issue_zia_key("zia.pem") if is_key else None,
            token_url=lab.one_api_token_url,
            api_url=lab.one_api_url,
        )

    return make
