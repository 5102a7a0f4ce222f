import pytest

from nss.lab import discovery
from nss.lab.discovery import Discovery, Traffic


def seen(app: str, user: str, upload: str = "1", action: str = "Allowed") -> dict[str, str]:
    return {"cat": action, "appname": app, "usrName": user, "srcBytes": upload, "dstBytes": "10"}


def test_transactions_are_added_up_per_app_user_and_action() -> None:
    tally = Discovery()
    tally.add(seen("Box", "ana", "5"))
    tally.add(seen("Box", "ben"))
    tally.add(seen("Slack", "ana", action="Blocked"))
    assert tally.apps == {
        "Box": Traffic(2, 6, 20, {"ana", "ben"}),
        "Slack": Traffic(1, 1, 10, {"ana"}),
    }
    assert tally.users == {
        "ana": Traffic(2, 6, 20, {"Box", "Slack"}),
        "ben": Traffic(1, 1, 10, {"Box"}),
    }
    assert tally.actions == {"Allowed": 2, "Blocked": 1}


def test_the_top_is_ordered_by_bytes_then_by_name() -> None:
    tally = Discovery()
    for app, upload in (("small", "1"), ("b", "50"), ("a", "50"), ("large", "900")):
        tally.add(seen(app, f"user of {app}", upload))
    assert [name for name, _ in tally.top_apps(3)] == ["large", "a", "b"]
    assert [name for name, _ in tally.top_users(1)] == ["user of large"]
    assert [traffic.total_bytes for _, traffic in tally.top_apps()] == [910, 60, 60, 11]


@pytest.mark.parametrize(
    "wrong", [{"appname": "Box"}, seen("Box", "ana", "many"), seen("Box", "ana", "9" * 10_000)]
)
def test_a_transaction_that_makes_no_sense_counts_nowhere(wrong: dict[str, str]) -> None:
    tally = Discovery()
    with pytest.raises((KeyError, ValueError)):
        tally.add(wrong)
    assert (tally.apps, tally.users, tally.actions) == ({}, {}, {})


def test_names_beyond_the_limit_are_counted_together() -> None:
    tally = Discovery()
    for number in range(discovery.MAX_NAMES + 2):
        tally.add(seen("Box", f"user{number}", action=f"action{number}"))
    assert len(tally.users) == discovery.MAX_NAMES + 1
    assert tally.users[discovery.OTHER].transactions == 2
    assert tally.actions[discovery.OTHER] == 2
    assert tally.apps["Box"].transactions == discovery.MAX_NAMES + 2
