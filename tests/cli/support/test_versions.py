"""`nss checkversion`: what is installed, running and on disk."""

import json

from nss.spool.schema import MIGRATIONS
from tests.cli.conftest import Nss
from tests.cli.support.conftest import Site


def test_a_machine_with_nothing_running_is_up_to_date(nss: Nss, site: Site) -> None:
    ran = nss("checkversion", "--json", "--config", site.config)
    told = json.loads(ran.stdout)
    assert ran.returncode == 0, told
    assert (told["running"], told["spool_form_on_disk"], told["restart_due"]) == (None, None, False)
    assert told["spool_form_known"] == len(MIGRATIONS)


def test_the_running_service_and_its_spool_are_looked_at(nss: Nss, running: Site) -> None:
    told = json.loads(nss("checkversion", "--json", "--config", running.config).stdout)
    status = json.loads(nss("status", "--json", "--config", running.config).stdout)
    assert told["running"] == status["version"]
    assert told["spool_form_on_disk"] == len(MIGRATIONS)
    assert told["restart_due"] is (told["installed"] not in {None, told["running"]})


def test_people_get_a_sentence(nss: Nss, site: Site) -> None:
    ran = nss("checkversion", "--config", site.config)
    assert b"Everything is up to date" in ran.stdout
