"""`nss verify-blocking` on the command line."""

import orjson
import pytest

from nss.lab.cloud.zia.policies import url_filtering_rule
from tests.cli.zia.conftest import ZiaOffice

pytestmark = pytest.mark.long

NEW_PLACE = "Policies > Access Control > Internet & SaaS > URL & Cloud App Control"
NAME = "MS Defender Unsanctioned Apps"


def block(office: ZiaOffice, name: str = NAME) -> None:
    zia = office.lab.zia
    category = zia.categories.put(name, [".dropbox.com"])
    zia.policies.url_filtering.append(url_filtering_rule("Unsanctioned", [category]))
    zia.policies.advanced_settings["cascadeUrlFiltering"] = True  # which saves twenty requests
    zia.activation.start()
    office.run("configure-zia", *office.one_api, "--skip-test", environ=office.secret)


def test_what_is_blocked_and_what_opens(office: ZiaOffice) -> None:
    block(office)
    ran = office.run("verify-blocking", "www.dropbox.com")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == [
        f'blocked: category "{NAME}" (1 URL)',
        "blocked: www.dropbox.com",
    ]

    office.lab.zia.policies.url_filtering.clear()
    ran = office.run("verify-blocking")
    assert ran.returncode == 1
    assert ran.stdout.splitlines() == [
        f'OPENS: category "{NAME}" (1 URL)',
        f'      no enabled URL filtering rule blocks the category "{NAME}"',
        f'      Try: add a rule with the action Block for "{NAME}", and activate it',
        "      Where: Policy > URL & Cloud App Control",
        f"      In the Experience Center: {NEW_PLACE}",
    ]


def test_what_can_not_be_said(office: ZiaOffice) -> None:
    block(office)
    office.lab.zia.forbidden["urlFilteringRules"] = "SCOPE_LIMITED"
    ran = office.run("verify-blocking", "--json")
    shown = orjson.loads(ran.stdout)
    assert ran.returncode == 69
    assert [verdict["is_blocked"] for verdict in shown["verdicts"]] == [None]
    assert list(shown["unread"]) == ["URL filtering rules"]
    assert "not read: URL filtering rules" in office.run("verify-blocking").stdout


def test_the_category_is_that_of_the_sync(office: ZiaOffice) -> None:
    office.extra = '[sync]\ncategory = "Ours"\n'
    block(office, "Ours")
    ran = office.run("verify-blocking")
    assert ran.stdout == 'blocked: category "Ours" (1 URL)\n', ran.stderr
    ran = office.run("configure-zia", *office.one_api, environ=office.secret)
    assert '"Ours" is there' in ran.stdout


def test_without_credentials_there_is_a_sentence(office: ZiaOffice) -> None:
    ran = office.run("verify-blocking")
    assert ran.returncode == 78
    assert ran.stderr == (
        f"nss: there are no credentials for ZIA ({office.state / 'zia.json'})\n"
        "Try: sudo nss configure-zia\n"
    )
