"""`nss test-firewall`: what can be reached, and what can't and why."""

import json
from pathlib import Path

from tests.cli.conftest import Nss
from tests.cli.support.conftest import Site, secrets_in


def without_mcas(site: Site) -> None:
    """Leave the feed to the collector alone."""
    (site.folder / "mcas.json").unlink()
    text = site.config.read_text()
    head, _, rest = text.partition("[mcas]")
    site.config.write_text(head + rest[rest.index("[sources") :])


def test_what_listens_is_reached_and_ports_are_reported(nss: Nss, site: Site) -> None:
    without_mcas(site)
    ran = nss("test-firewall", "--json", "--config", site.config)
    shown = json.loads(ran.stdout)
    assert (ran.returncode, shown["ok"]) == (0, True), shown
    found = {
        finding["component"]: [step["name"] for step in finding["steps"]]
        for finding in shown["findings"]
    }
    assert found == {"feed siem": ["dns", "tcp"], "source push": ["listen"]}
    ports = [(port["direction"], port["host"], port["port"]) for port in shown["ports"]]
    assert ports == [
        ("out", "127.0.0.1", site.collector_port),
        ("in", "127.0.0.1", site.source_port),
    ]


def test_a_closed_port_is_distinguished_from_an_unknown_name(nss: Nss, site: Site) -> None:
    without_mcas(site)
    site.collector.close()
    ran = nss("test-firewall", "--config", site.config)
    assert ran.returncode == 1
    assert b"FAILED  feed siem" in ran.stdout
    assert b"! tcp: nothing listens at 127.0.0.1:" in ran.stdout
    text = site.config.read_text().replace('["127.0.0.1:', '["no-such-host.invalid:')
    site.config.write_text(text)
    ran = nss("test-firewall", "--config", site.config)
    assert ran.returncode == 1
    assert b"! dns: " in ran.stdout


def test_a_proxy_that_is_away_is_reported_and_its_password_is_not(nss: Nss, site: Site) -> None:
    ran = nss("test-firewall", "--config", site.config)
    assert ran.returncode == 1
    assert b"127.0.0.1:1" in ran.stdout
    assert secrets_in(ran.stdout + ran.stderr) == []


def test_a_port_of_another_program_is_reported(nss: Nss, site: Site) -> None:
    without_mcas(site)
    text = site.config.read_text()
    taken = text.replace(f"127.0.0.1:{site.source_port}", f"127.0.0.1:{site.collector_port}")
    site.config.write_text(taken)
    ran = nss("test-firewall", "--config", site.config)
    assert ran.returncode == 1
    assert b"another program has the port" in ran.stdout


def test_a_port_of_the_service_itself_is_fine(nss: Nss, running: Site) -> None:
    shown = json.loads(nss("test-firewall", "--json", "--config", running.config).stdout)
    own = next(finding for finding in shown["findings"] if finding["component"] == "source push")
    assert [step["sentence"] for step in own["steps"]] == ["the NSS service listens here"]


def test_a_wrong_configuration_is_reported(nss: Nss, tmp_path: Path) -> None:
    (tmp_path / "nss.toml").write_text("[sources.a]\n")
    assert nss("test-firewall", "--config", "nss.toml").returncode == 78
