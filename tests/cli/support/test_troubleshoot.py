"""`nss troubleshoot`: feeds, connections and sockets of a service at work."""

import json
import threading
from http.client import HTTPConnection

import pytest

from tests.cli.conftest import Nss
from tests.cli.support.conftest import SECRETS, Site

pytestmark = pytest.mark.long

RECORD = b'{"time":"Fri Oct  6 09:05:08 2023","login":"ana@example.com","eurl":"example.com/"}\n'


def push(site: Site) -> int:
    connection = HTTPConnection("127.0.0.1", site.source_port, timeout=10)
    try:
        headers = {"Authorization": f"Bearer {SECRETS['push token']}"}
        connection.request("POST", "/", RECORD, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_stable_feed_is_reported_as_by_the_appliance(nss: Nss, running: Site) -> None:
    ran = nss("troubleshoot", "feeds", "--config", running.config)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.decode().splitlines() == [
        "NSS is live",
        "Currently active feeds: 1",
        "Feed name: siem:",
        "  Connection Status:",
        f"    [127.0.0.1:{running.collector_port}] : Stable",
        "  Other health checks:",
        "    Feed is stable. No suspicious events detected.",
    ]


def test_a_dead_collector_is_reported(nss: Nss, running: Site) -> None:
    running.collector.close()
    assert push(running) == 200
    found: dict[str, object] = {"stable": True}
    for _ in range(50):
        ran = nss("troubleshoot", "feeds", "--json", "--config", running.config)
        found = json.loads(ran.stdout)
        if not found["stable"]:
            assert ran.returncode == 1
            break
    assert "Last error" in json.dumps(found)


def test_the_sockets_of_the_service_are_shown_with_their_owners(nss: Nss, running: Site) -> None:
    assert push(running) == 200
    running.collector.accept()[0].close()
    shown = json.loads(nss("troubleshoot", "netstat", "--json", "--config", running.config).stdout)
    listening = [
        (row["local_host"], row["local_port"], row["owner"])
        for row in shown
        if row["state"] == "listening"
    ]
    assert listening == [("127.0.0.1", running.source_port, "source push")]


def test_a_connection_that_is_made_again_is_flapping(nss: Nss, running: Site) -> None:
    stop = threading.Event()

    def break_off() -> None:
        running.collector.settimeout(0.2)
        while not stop.is_set():
            try:
                connection, _ = running.collector.accept()
            except TimeoutError:
                continue
            stop.wait(0.6)
            connection.close()

    def send() -> None:
        while not stop.wait(0.1):
            push(running)

    threads = [threading.Thread(target=work) for work in (break_off, send)]
    for thread in threads:
        thread.start()
    try:
        asked = ("troubleshoot", "connection", "--seconds", "4", "--json")
        ran = nss(*asked, "--config", running.config)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    shown = json.loads(ran.stdout)
    feed = next(row for row in shown["connections"] if row["name"] == "feed siem")
    assert (ran.returncode, shown["stable"], feed["stable"]) == (1, False, False)
    assert feed["made_again"] > 0


@pytest.mark.parametrize("command", ["feeds", "connection", "netstat"])
def test_without_a_service_it_says_so(nss: Nss, site: Site, command: str) -> None:
    ran = nss("troubleshoot", command, "--config", site.config)
    assert ran.returncode == 69
    assert b"the service is not running" in ran.stderr
