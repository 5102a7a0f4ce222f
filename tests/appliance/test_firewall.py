"""The rules for the ports of a configuration, in the real nftables of a network of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.appliance.firewall import Opening, openings, script
from nss.config import load as configuration
from nss.config.values import Address

BASE = Path(__file__).parents[2] / "packaging/appliance/root/etc/nftables.conf"
FEEDS = '[feeds.out]\nformat = "MCAS"\n[feeds.out.sink]\nkind = "file"\npath = "out.log"\n'


def rules(text: str) -> list[str]:
    found = script(openings(configuration.parse(text + FEEDS, Path("/etc/nss"))))
    first, *others = found.splitlines()
    assert first == "flush chain inet nss configured"
    return [line.removeprefix("add rule inet nss configured ") for line in others]


def source(listen: str, more: str = "") -> str:
    return f'[sources.tcp]\nkind = "tcp"\nlisten = "{listen}"\n{more}'


@pytest.mark.parametrize(
    ("listen", "rule"),
    [
        (":514", "tcp dport 514 accept"),
        ("0.0.0.0:514", "tcp dport 514 accept"),
        ("[::]:514", "tcp dport 514 accept"),
        ("10.0.0.4:514", "ip daddr 10.0.0.4 tcp dport 514 accept"),
        ("[2001:db8::4]:514", "ip6 daddr 2001:db8::4 tcp dport 514 accept"),
        ("[fe80::4%ens3]:514", "ip6 daddr fe80::4 tcp dport 514 accept"),
        ("nss.example.com:514", "tcp dport 514 accept"),
    ],
)
def test_a_source_opens_its_port(listen: str, rule: str) -> None:
    assert rules(source(listen)) == [f'{rule} comment "source tcp"']


@pytest.mark.parametrize("listen", ["127.0.0.1:514", "[::1]:514", "localhost:514", "0.0.0.0:0"])
def test_loopback_and_any_free_port_open_nothing(listen: str) -> None:
    assert rules(source(listen)) == []


def test_portal_and_metrics_are_open_where_they_leave_loopback() -> None:
    more = '[portal]\nlisten = "127.0.0.1:9633"\n[service]\nmetrics_listen = "127.0.0.1:9632"\n'
    assert len(rules(source(":514", more))) == 1
    more = (
        '[portal]\nlisten = "10.0.0.4:9633"\ntls_certificate = "a.pem"\ntls_key = "a.key"\n'
        '[service]\nmetrics_listen = "0.0.0.0:9632"\n'
    )
    assert rules(source(":514", more))[1:] == [
        'ip daddr 10.0.0.4 tcp dport 9633 accept comment "portal"',
        'tcp dport 9632 accept comment "metrics"',
    ]


ADDRESSES = st.builds(Address, st.text() | st.just('fe80::1%\n;"'), st.integers(1, 65535))


@given(st.lists(st.builds(Opening, ADDRESSES, st.text(min_size=1)), min_size=1))
def test_no_name_breaks_out_of_its_rule(found: list[Opening]) -> None:
    lines = script(found).splitlines()
    assert len(lines) == len(found) + 1
    for line in lines[1:]:
        assert line.startswith("add rule inet nss configured ")
        assert line.isascii()
        assert line.count('"') == 2
        assert not set(line) & set(";{}\\\n#")


@pytest.mark.skipif(shutil.which("nft") is None, reason="no nft on this machine")
@pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own needs root")
def test_nftables_takes_them_in_one_transaction(tmp_path: Path) -> None:
    names = ["tcp", 'x"; flush ruleset; "', "}\nflush ruleset", "$(reboot)", "é" * 200]
    good = [Opening(Address("", 5000 + number), name) for number, name in enumerate(names)]
    rules_file, wrong_file = tmp_path / "rules", tmp_path / "wrong"
    rules_file.write_text(script(good))
    wrong_file.write_text(script(good[:1]) + "add rule inet nss configured nonsense\n")
    shell = """\
nft -f "$1" && { echo early; exit 1; }
nft -f "$0" && nft -f "$1" && nft -f "$1" || exit 2
nft -f "$2" && exit 3
nft list chain inet nss configured
nft -f "$0" && nft list chain inet nss input
"""
    ran = subprocess.run(  # noqa: S603 - ours
        ["unshare", "--net", "sh", "-c", shell, str(BASE), str(rules_file), str(wrong_file)],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if "unshare" in ran.stderr or "not supported" in ran.stderr:
        pytest.skip(f"no nftables in a network of its own: {ran.stderr.strip()}")
    assert ran.returncode == 0, ran.stderr
    accepted = [line for line in ran.stdout.splitlines() if "tcp dport 5" in line]
    assert len(accepted) == len(names)
    assert "policy drop" in ran.stdout


CONNECTS = """
import errno, socket, subprocess, sys
def result(port):
    try:
        socket.create_connection(("10.9.9.2", port), timeout=0.5)
    except TimeoutError:
        return "dropped"
    except OSError as error:
        return errno.errorcode[error.errno]
    return "open"
print([result(port) for port in (5514, 5515, 22)])
"""


@pytest.mark.skipif(shutil.which("nft") is None, reason="no nft on this machine")
@pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own needs root")
def test_an_open_port_answers_and_a_closed_one_does_not(tmp_path: Path) -> None:
    rules_file = tmp_path / "rules"
    rules_file.write_text(script([Opening(Address("10.9.9.2", 5514), "source tcp")]))
    shell = """\
set -e
ip link set lo up
unshare --net sleep 50 & there=$!
trap 'kill $there' EXIT
while [ "$(readlink /proc/$there/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do :; done
ip link add here type veth peer name there netns $there
ip address add 10.9.9.1/24 dev here; ip link set here up
inside="nsenter --net --target $there"
$inside ip link set lo up
$inside ip address add 10.9.9.2/24 dev there; $inside ip link set there up
$inside nft -f "$0"; $inside nft -f "$1"
"$2" -c "$3"
"""
    command = ["unshare", "--net", "sh", "-c", shell, str(BASE), str(rules_file)]
    ran = subprocess.run(  # noqa: S603 - ours
        [*command, sys.executable, CONNECTS],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    if "not supported" in ran.stderr or "unshare failed" in ran.stderr:
        pytest.skip(f"no nftables in a network of its own: {ran.stderr.strip()}")
    # Nothing listens: an open port refuses, a closed one does not even do that.
    assert ran.stdout.strip() == "['ECONNREFUSED', 'dropped', 'ECONNREFUSED']", ran.stderr
