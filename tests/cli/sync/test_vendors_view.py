"""What a sync made of ZIA's category, as the vendor's own client sees it."""

import pytest

from tests.cli.sync.conftest import NAME, SyncOffice
from tests.vendor import zia_calls

pytestmark = pytest.mark.long

DOMAINS = [f".app{number}.example" for number in range(40)]


def test_the_vendors_client_sees_what_was_synced(office: SyncOffice) -> None:
    office.lab.zia.sessions.logout_status = 204
    office.lab.zia.categories.put(NAME, ["by-hand.example"], ["kept.example"])
    office.use_zia()
    office.mark(*DOMAINS)
    assert office.run("sync-unsanctioned").returncode == 0

    listed, status = zia_calls(
        office.lab,
        ("url_categories.list_categories", {"query_params": {"custom_only": True}}),
        ("activate.status", {}),
    )

    (category,) = [each for each in listed if each["configured_name"] == NAME]
    assert sorted(category["urls"]) == ["by-hand.example"]
    assert sorted(category["db_categorized_urls"]) == sorted(["kept.example", *DOMAINS])
    assert status["status"] == "ACTIVE"
    assert office.force() == {"by-hand.example", "kept.example", *DOMAINS}
