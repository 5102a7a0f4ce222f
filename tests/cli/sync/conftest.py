"""An administrator with credentials for the lab's MCAS and ZIA."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nss.lab.cloud import CloudLab
from nss.lab.cloud.zia.policies import ssl_inspection_rule, url_filtering_rule
from tests.cli.zia.conftest import ZiaOffice

NAME = "MS Defender Unsanctioned Apps"


class SyncOffice(ZiaOffice):
    """An office in which everything is set up, and nothing is synced yet."""

    def use_zia(self) -> None:
        """Store what the lab's ZIA takes."""
        ran = self.run("configure-zia", *self.one_api, "--skip-test", environ=self.secret)
        assert ran.returncode == 0, ran.stderr

    def force(self) -> frozenset[str]:
        """Return what the gateway goes by."""
        return self.lab.zia.in_force(NAME)

    def block(self) -> None:
        """Have rules inspect and block the category."""
        category = self.lab.zia.categories.shown(NAME)["id"]
        policies = self.lab.zia.policies
        policies.url_filtering.append(url_filtering_rule("Unsanctioned", [category]))
        policies.ssl_inspection.append(
            ssl_inspection_rule("Unsanctioned", [category], action="DECRYPT")
        )

    def mark(self, *domains: str, app: str = "App") -> None:
        """Mark an app with these domains as unsanctioned."""
        self.lab.mcas.unsanctioned.apps[app] = list(domains)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[SyncOffice]:
    (tmp_path / "state").mkdir()
    (tmp_path / "lab").mkdir()
    with CloudLab(tmp_path / "lab", requests_per_minute=1000) as lab:
        # Then Cloud App Control is not read: ten seconds at ZIA's pace.
        lab.zia.policies.advanced_settings["cascadeUrlFiltering"] = True
        found = SyncOffice(tmp_path, lab)
        found.store_good()
        yield found
