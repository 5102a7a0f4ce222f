"""`nss checkversion`: what is installed, running and on disk."""

import json
import sqlite3
from contextlib import closing

from nss.spool.durable.schema import MIGRATIONS
from tests.cli.conftest import Nss
from tests.cli.support.conftest import Site


def test_a_machine_with_nothing_running_is_up_to_date(nss: Nss, site: Site) -> None:
    ran = nss("checkversion", "--json", "--config", site.config)
    shown = json.loads(ran.stdout)
    assert ran.returncode == 0, shown
    assert (shown["running"], shown["spool_form_on_disk"], shown["restart_due"]) == (
        None,
        None,
        False,
    )
    assert shown["spool_form_known"] == len(MIGRATIONS)


def test_the_running_service_and_its_spool_are_looked_at(nss: Nss, running: Site) -> None:
    shown = json.loads(nss("checkversion", "--json", "--config", running.config).stdout)
    status = json.loads(nss("status", "--json", "--config", running.config).stdout)
    assert shown["running"] == status["version"]
    assert shown["spool_form_on_disk"] == len(MIGRATIONS)
    assert shown["restart_due"] is (shown["installed"] not in {None, shown["running"]})


def test_people_get_a_sentence(nss: Nss, site: Site) -> None:
    ran = nss("checkversion", "--config", site.config)
    assert b"Everything is up to date" in ran.stdout


def test_a_spool_at_rest_is_read_and_nothing_is_left_beside_it(nss: Nss, site: Site) -> None:
    path = site.folder / "spool.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA user_version = 1")
    shown = json.loads(nss("checkversion", "--json", "--config", site.config).stdout)
    assert shown["spool_form_on_disk"] == 1
    assert [path.name for path in site.folder.glob("spool.db*")] == ["spool.db"]
