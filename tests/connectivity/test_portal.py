"""The portal is one of the listeners that a firewall and `nss troubleshoot` know."""

from pathlib import Path

from nss.config.load import parse
from nss.config.model import Config
from nss.connectivity.owners import owner
from nss.connectivity.plan import OpenPort, ports_of
from nss.connectivity.sockets import Socket

FEED = """
[sources.web]
kind = "stdin"
[feeds.out]
format = "MCAS"
sink = {kind = "file", path = "out.log"}
"""


def config(portal: str) -> Config:
    return parse(f"[portal]\n{portal}\n{FEED}", Path("/etc/nss"))


def test_its_port_is_one_to_open() -> None:
    assert ports_of(config("listen = '127.0.0.1:9633'"), []) == [
        OpenPort("in", "TCP", "127.0.0.1", 9633, "portal")
    ]
    assert ports_of(config(""), []) == []


def test_its_sockets_are_its_own() -> None:
    found = Socket(
        proto="tcp",
        local_host="127.0.0.1",
        local_port=9633,
        remote_host="",
        remote_port=0,
        state="LISTEN",
        received_bytes=0,
        unsent_bytes=0,
    )
    assert owner(found, config("listen = '127.0.0.1:9633'"), ()) == "portal"
    assert owner(found, config("listen = '127.0.0.1:9634'"), ()) == ""
