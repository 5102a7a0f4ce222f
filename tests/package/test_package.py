"""The life of an appliance, on whole machines: installed, at work, killed, upgraded, removed."""

import gzip
import html
import shutil
import stat
from pathlib import Path

import httpx
import orjson
import pexpect
import pytest
import trustme

from nss.lab.cloud import CloudLab
from tests.cli.mcas.conftest import Terminal
from tests.package.conftest import Collector, Kind, configuration
from tests.package.machine import CLOUD, CONFIG, HERE, THERE, UNIT, Machine, wait_for
from tests.package.sending import TOKEN, Load, over_http, over_tcp
from tests.package.versions import other_version

STATE = Path("/var/lib/nss")
UNTRUSTED = "nobody"


def started(machine: Machine, text: str) -> int:
    """Configure and start the service; returns its process."""
    machine.write("/etc/nss/push.token", TOKEN, mode=0o640)
    machine.run("chgrp", "nss", "/etc/nss/push.token")
    machine.configure(text)
    machine.run("nss", "start")
    return machine.pid()


def owned(machine: Machine, path: str | Path) -> str:
    return machine.run("stat", "--format=%U:%G %a", str(path)).stdout.strip()


def unaccounted(machine: Machine) -> list[int]:
    """What each feed's account has lost sight of."""
    known = ("delivered", "filtered", "rejected", "dropped", "pending")
    return [
        feed["accepted"] - sum(feed[one] for one in known) for feed in machine.status()["feeds"]
    ]


def test_it_installs_without_a_network_and_starts_nothing(bare: Machine, package: Path) -> None:
    bare.run("dpkg", "--install", f"/root/{package.name}")
    assert bare.facts("ActiveState", "UnitFileState") == {
        "ActiveState": "inactive",
        "UnitFileState": "disabled",
    }
    assert {
        path: owned(bare, path) for path in ("/etc/nss", CONFIG, STATE, "/var/log/nss", "/run/nss")
    } == {
        "/etc/nss": "root:nss 750",
        CONFIG: "root:nss 640",
        STATE: "nss:nss 700",
        "/var/log/nss": "nss:nss 750",
        "/run/nss": "nss:nss 750",
    }
    assert bare.run("getent", "passwd", "nss").stdout.split(":")[-1] == "/usr/sbin/nologin\n"
    assert bare.run("nss", "--version").stdout == f"nss {package.name.split('_')[1]} (compiled)\n"
    assert "the service is not running" in bare.run("nss", "status", code=69).stderr
    assert bare.path("/usr/share/man/man1/nss-start.1.gz").exists()
    assert bare.path("/usr/share/bash-completion/completions/nss").exists()


def test_the_sample_is_good_and_others_are_told_to_use_sudo(machine: Machine) -> None:
    machine.run("nss", "check")
    machine.run("nss", "start")
    machine.run("nss", "stop")
    machine.run("nss", "check")
    machine.reboot()
    machine.run("nss", "check")
    other = ("setpriv", f"--reuid={UNTRUSTED}", "--clear-groups", "nss")
    for command in ("status", "dump-config", "configure", "start", "enable-autostart"):
        refused = machine.run(*other, command, code=None)
        assert refused.returncode != 0
        assert "sudo" in refused.stderr, command


def test_the_unit_is_sound_and_shut_in(machine: Machine) -> None:
    verified = machine.run("systemd-analyze", "verify", UNIT, "nss-streamer@one.service")
    assert verified.stdout + verified.stderr == ""
    machine.run("systemd-analyze", "security", "--offline=true", "--threshold=14", UNIT)


def test_what_the_service_can_write_can_not_be_run_and_it_can_not_take_all_of_the_machine(
    machine: Machine, collector: Collector
) -> None:
    pid = started(machine, configuration(collector=collector))
    own = [f"{folder}/true" for folder in (STATE, "/var/log/nss")]
    for program in own:
        machine.run("install", "-o", "nss", "-m", "0755", "/bin/true", program)
        machine.run(program)
    inside = ("nsenter", f"--target={pid}", "--mount")
    machine.run(*inside, "/opt/nss-streamer/bin/python3", "-c", _COPY_INTO_TMP)
    for program in (*own, "/tmp/true", "/usr/bin/true", "/usr/bin/dash"):  # noqa: S108 - its own
        assert "Permission denied" in machine.run(*inside, program, code=None).stderr
    machine.run(*inside, "/opt/nss-streamer/bin/nss", "--version")
    limits = machine.facts("TasksMax", "MemoryMax", "PrivateIPC", "SocketBindDeny")
    assert limits.pop("MemoryMax").isdecimal()
    assert limits == {"TasksMax": "512", "PrivateIPC": "yes", "SocketBindDeny": "any"}


_COPY_INTO_TMP = """
import shutil
shutil.copy("/usr/bin/true", "/tmp/true")
"""


def test_a_service_that_was_taken_over_does_not_become_root(
    machine: Machine, collector: Collector, tmp_path: Path
) -> None:
    started(machine, configuration(collector=collector))
    as_nss = ("setpriv", "--reuid=nss", "--regid=nss", "--init-groups", "--", "sh", "-c")
    machine.run("sh", "-c", "echo hush-hush >/root/secret; mkdir -m 0700 /root/folder")
    for name in ("audit.log", "mcas.json"):
        machine.run(*as_nss, f"ln -sf /root/secret {STATE}/{name}")
    machine.run(*as_nss, f"ln -s /root/folder {STATE}/certificates")
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    machine.write("/root/ca.pem", (tmp_path / "ca.pem").read_text())

    refused = machine.run("nss", "install-cert", "/root/ca.pem", "--ca", code=78).stderr
    assert "a symbolic link in a folder of nss" in refused
    shown = machine.run("nss", "show-mcas2", code=78).stderr
    assert "a symbolic link in a folder of nss" in shown
    machine.run("nss", "collect-diagnostics", "--output", "/root/found.tar.gz", secs=120)
    data = machine.path("/root/found.tar.gz").read_bytes()
    unpacked = gzip.decompress(data)
    assert b"audit.log: NOT COLLECTED: a symbolic link in a folder of nss" in unpacked
    assert b"hush-hush" not in unpacked
    assert b'"form"' in unpacked  # the spool is inspected, as its own user
    assert owned(machine, "/root/secret") == "root:root 644"
    assert owned(machine, "/root/folder") == "root:root 700"
    assert machine.run("ls", "/root/folder").stdout == ""


@pytest.mark.parametrize("kind", ["syslog_tcp", "syslog_udp"])
def test_records_go_from_tcp_and_http_to_a_collector(
    machine: Machine, collector: Collector, kind: Kind
) -> None:
    started(machine, configuration(kind, collector=collector))
    over_tcp(["ana@example.com"])
    assert over_http(["ben@example.com"]) == 200
    assert over_http(["eve@example.com"], token="guessed") == 401  # noqa: S106 - wrong on purpose
    collector.wait_for_users({"ana@example.com", "ben@example.com"})
    assert [line.partition("LEEF")[2][:28] for line in collector.lines()] == [
        ":1.0|Zscaler|NSS|4.1|None|ca",
        ":1.0|Zscaler|NSS|4.1|None|ca",
    ]
    assert unaccounted(machine) == [0]


def test_nobody_else_reads_secrets_and_nothing_else_listens(
    machine: Machine, collector: Collector
) -> None:
    pid = started(machine, configuration(collector=collector))
    machine.write(STATE / "mcas.json", "{}", mode=0o600)
    machine.run("chown", "nss:nss", str(STATE / "mcas.json"))
    over_tcp(["ana@example.com"])
    collector.wait_for_users({"ana@example.com"})

    for path in (CONFIG, "/etc/nss/push.token", STATE / "mcas.json", STATE / "spool.db"):
        assert machine.path(path).exists()
        machine.run("setpriv", "--reuid", UNTRUSTED, "--clear-groups", "cat", str(path), code=1)
    asked = machine.run(
        *("setpriv", f"--reuid={UNTRUSTED}", "--clear-groups", "nss", "status"), code=None
    )
    assert asked.returncode != 0
    assert "/var/lib/nss" not in asked.stdout

    listening = machine.run("ss", "-H", "-lntu").stdout.splitlines()
    assert sorted(line.split()[4] for line in listening) == ["0.0.0.0:514", "0.0.0.0:8088"]

    shown = machine.run("cat", f"/proc/{pid}/limits").stdout
    cores = [line.split()[4:6] for line in shown.splitlines() if line.startswith("Max core")]
    assert cores == [["0", "0"]]
    held = machine.run("cat", f"/proc/{pid}/status").stdout.splitlines()
    facts = dict(line.split(":\t", 1) for line in held if ":\t" in line)
    assert (facts["CapEff"].strip(), facts["NoNewPrivs"].strip()) == ("0000000000000400", "1")
    assert machine.run("id", "-u", "nss").stdout.strip() in facts["Uid"].split()

    search = ("find", "/", "-xdev", "-user", "nss", "-not", "-path", "/proc/*")
    found = machine.run(*search).stdout.split()
    inside = ("/var/lib/nss", "/var/log/nss", "/run/nss")
    assert [path for path in found if not path.startswith(inside)] == []
    open_for_others = [
        path
        for path in found
        if machine.path(path).is_file() and machine.path(path).stat().st_mode & stat.S_IRWXO
    ]
    assert open_for_others == []


def test_questions_at_a_terminal_make_a_service_that_works(
    machine: Machine, collector: Collector
) -> None:
    person = machine.terminal("nss", "configure")
    person.expect_exact("[127.0.0.1:5514")  # not what the sample has
    to = f"{HERE}:{collector.udp}"
    for answer in ("0.0.0.0:514", "", "", "QRADAR", "GMT", "collector", to, "", "y"):
        person.expect(r"\]: ")
        person.sendline(answer)
    person.expect(pexpect.EOF)
    assert "sudo nss start" in (person.before or "")
    person.close()
    assert owned(machine, CONFIG) == "root:nss 640"
    machine.run("nss", "start")
    over_tcp(["ana@example.com"])
    collector.wait_for_users({"ana@example.com"})
    assert 'kind = "file"' in machine.path(f"{CONFIG}.old").read_text()
    assert machine.run("nss", "dump-config").stdout.count(to) == 1


def test_a_reload_is_put_in_force_or_refused_with_a_reason(
    machine: Machine, collector: Collector
) -> None:
    text = configuration(collector=collector)
    pid = started(machine, text)
    machine.configure(text.replace("0.0.0.0:514", "0.0.0.0:515"))
    machine.run("systemctl", "reload", UNIT)
    over_tcp(["ana@example.com"], port=515)
    collector.wait_for_users({"ana@example.com"})
    machine.configure("nonsense")
    machine.run("systemctl", "reload", UNIT, code=1)
    over_tcp(["ben@example.com"], port=515)
    collector.wait_for_users({"ben@example.com"})
    assert machine.pid() == pid


def test_it_comes_back_after_a_kill_and_loses_nothing(
    machine: Machine, collector: Collector
) -> None:
    first = started(machine, configuration(collector=collector))
    with Load() as load:
        wait_for(lambda: len(load.accepted) > 500, "records are accepted")
        machine.run("systemctl", "kill", "--signal=KILL", UNIT)
        wait_for(lambda: machine.pid() not in {0, first}, "the service is back")
        before = len(load.accepted)
        wait_for(lambda: len(load.accepted) > before + 500, "records are accepted again")
    collector.wait_for_users(load.accepted)
    assert load.refused > 0
    assert unaccounted(machine) == [0]


def test_the_watchdog_ends_a_service_that_hangs(machine: Machine, collector: Collector) -> None:
    drop_in = "[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1s\nRestartSec=1s\n"
    machine.write(f"/etc/systemd/system/{UNIT}.d/test.conf", drop_in)
    machine.run("systemctl", "daemon-reload")
    first = started(machine, configuration(collector=collector))
    machine.run("systemctl", "kill", "--signal=STOP", UNIT)
    wait_for(lambda: machine.pid() not in {0, first}, "the service is back")
    over_tcp(["ana@example.com"])
    collector.wait_for_users({"ana@example.com"})
    assert "Watchdog timeout" in machine.run("journalctl", "--no-pager", "-u", UNIT).stdout


def test_restart_stop_and_start_say_what_they_did(machine: Machine, collector: Collector) -> None:
    first = started(machine, configuration(collector=collector))
    again = machine.run("nss", "start").stdout
    assert again == f"NSS service is already running with pid {first}\n"
    restarted = machine.run("nss", "restart").stdout
    assert restarted == f"NSS service running with pid {machine.pid()}\n"
    assert machine.pid() != first
    assert machine.run("nss", "stop").stdout == "NSS service stopped\n"
    assert machine.run("nss", "stop").stdout == "NSS service is not running\n"
    assert machine.facts("ActiveState") == {"ActiveState": "inactive"}


def test_it_starts_with_the_machine_when_that_is_wanted(
    machine: Machine, collector: Collector
) -> None:
    started(machine, configuration(collector=collector))
    assert machine.run("nss", "enable-autostart").stdout == "Auto-start of NSS enabled\n"
    over_tcp(["ana@example.com"])
    collector.wait_for_users({"ana@example.com"})
    machine.reboot()
    wait_for(machine.pid, "the service runs")
    assert machine.status()["feeds"][0]["delivered"] == 1
    assert machine.run("nss", "disable-autostart").stdout == "Auto-start of NSS disabled\n"
    machine.reboot()
    assert machine.facts("ActiveState") == {"ActiveState": "inactive"}


def test_an_upgrade_under_load_loses_nothing_and_a_rollback_is_refused(
    machine: Machine, collector: Collector, package: Path, tmp_path: Path
) -> None:
    newer = other_version(package, tmp_path, "99.0", form=True)
    shutil.copy(newer, machine.path("/root"))
    shutil.copy(package, machine.path("/root"))
    started(machine, configuration(collector=collector))
    machine.write(STATE / "mcas.json", "{}", mode=0o600)
    own = machine.path(CONFIG).read_text()
    with Load() as load:
        wait_for(lambda: len(load.accepted) > 500, "records are accepted")
        machine.run("dpkg", "--install", f"/root/{newer.name}")
        before = len(load.accepted)
        wait_for(lambda: len(load.accepted) > before + 500, "records are accepted again")
    collector.wait_for_users(load.accepted)
    assert machine.path(CONFIG).read_text() == own
    assert machine.path(STATE / "mcas.json").read_text() == "{}"
    assert unaccounted(machine) == [0]

    machine.run("dpkg", "--install", f"/root/{package.name}")
    refused = machine.run("nss", "start", code=74).stderr
    assert "run the version of NSS that wrote it, or a newer one" in refused
    machine.run("dpkg", "--install", f"/root/{newer.name}")
    machine.run("nss", "start")
    assert machine.status()["feeds"][0]["accepted"] >= len(load.accepted)


def test_a_rollback_keeps_spool_cursors_and_credentials(
    machine: Machine, collector: Collector, package: Path, tmp_path: Path
) -> None:
    older = other_version(package, tmp_path, "0.0.1")
    shutil.copy(older, machine.path("/root"))
    started(machine, configuration(collector=collector))
    machine.write(STATE / "mcas.json", "{}", mode=0o600)
    over_tcp(["ana@example.com"])
    collector.wait_for_users({"ana@example.com"})
    machine.run("dpkg", "--install", f"/root/{older.name}")
    feed = machine.status()["feeds"][0]
    assert (feed["accepted"], feed["delivered"], feed["pending"]) == (1, 1, 0)
    assert machine.path(STATE / "mcas.json").read_text() == "{}"
    assert len(collector.lines()) == 1


def test_a_removal_keeps_the_state_and_a_purge_leaves_nothing(
    bare: Machine, collector: Collector, package: Path
) -> None:
    whole = ("find", "/", "-xdev", "-not", "-path", "/proc/*", "-not", "-path", "/run/*")
    ignored = ("/var/log/journal", "/var/lib/dpkg", "/root", "/var/log/dpkg")
    before = set(bare.run(*whole).stdout.splitlines())
    users = bare.run("getent", "passwd").stdout
    bare.run("dpkg", "--install", f"/root/{package.name}")
    started(bare, configuration(collector=collector))
    bare.run("nss", "enable-autostart")
    over_tcp(["ana@example.com"])
    collector.wait_for_users({"ana@example.com"})

    bare.run("dpkg", "--remove", "nss-streamer")
    assert bare.facts("ActiveState", "LoadState") == {
        "ActiveState": "inactive",
        "LoadState": "not-found",
    }
    assert bare.path(STATE / "spool.db").exists()
    assert bare.path(CONFIG).exists()
    assert not bare.path("/opt/nss-streamer").exists()

    bare.run("dpkg", "--purge", "nss-streamer")
    left = set(bare.run(*whole).stdout.splitlines()) - before
    assert sorted(path for path in left if not path.startswith(ignored)) == []
    assert bare.run("getent", "passwd").stdout == users


def test_credentials_of_systemd_reach_the_service_alone(
    machine: Machine, collector: Collector
) -> None:
    machine.write("/etc/credstore/nss-streamer.mcas.json", '{"secret": "hush"}', mode=0o600)
    pid = started(machine, configuration(collector=collector))
    given = machine.run("cat", f"/proc/{pid}/environ").stdout.split("\0")
    folder = next(
        one.partition("=")[2] for one in given if one.startswith("CREDENTIALS_DIRECTORY=")
    )
    assert machine.run("cat", f"{folder}/mcas.json").stdout == '{"secret": "hush"}'
    machine.run(
        *("setpriv", f"--reuid={UNTRUSTED}", "--clear-groups", "cat", f"{folder}/mcas.json"), code=1
    )


def test_mcas_is_signed_in_to_at_a_terminal_and_uploads_arrive(
    machine: Machine, collector: Collector, tmp_path: Path
) -> None:
    feed = """
[feeds.upload]
format = "MCAS"
[feeds.upload.sink]
kind = "cloud_discovery"
max_secs = 1

[mcas]
ca_file = "lab.pem"
"""
    lab_folder = tmp_path / "lab"
    lab_folder.mkdir()
    with CloudLab(lab_folder, address=HERE, name=CLOUD) as lab:
        machine.write("/etc/nss/lab.pem", lab.ca_file.read_text())
        machine.configure(configuration(collector=collector, more=feed))
        answers = {
            "Client ID": lab.client_id,
            "Client Secret": lab.client_secret,
            "Secret expires on (optional)": "",
            "Scope": "",
            "Authentication URL": lab.authentication_url,
            "API URL": lab.api_url,
        }
        terminal = Terminal(machine.terminal("nss", "configure-mcas2"))
        for prompt, text in answers.items():
            terminal.answer(prompt, text)
        code, last = terminal.ended()
        assert code == 0, last
        assert owned(machine, STATE / "mcas.json") == "nss:nss 600"
        started(machine, machine.path(CONFIG).read_text())
        over_tcp(["ana@example.com"])
        wait_for(lab.discovery.top_users, "the upload is parsed")
        assert [user for user, _ in lab.discovery.top_users()] == ["ana@example.com"]
        machine.run("nss", "verify-mcas2")
        machine.run("nss", "restart")
        written = machine.journal() + machine.path(STATE / "audit.log").read_text() + terminal.seen
        assert lab.client_secret not in written
        assert lab.complaints == []


def test_what_helps_at_three_in_the_morning_works_here_too(
    machine: Machine, collector: Collector
) -> None:
    started(machine, configuration(collector=collector))
    over_tcp(["ana@example.com"])
    collector.wait_for_users({"ana@example.com"})
    found = orjson.loads(machine.run("nss", "test-firewall", "--json").stdout)["findings"]
    assert [(one["component"], one["ok"]) for one in found] == [
        ("feed mcas", True),
        ("source tcp", True),
        ("source push", True),
    ]
    assert "NSS is live" in machine.run("nss", "troubleshoot", "feeds").stdout
    assert "source tcp" in machine.run("nss", "troubleshoot", "netstat").stdout
    machine.run("nss", "troubleshoot", "connection", "--seconds", "1")
    told = orjson.loads(machine.run("nss", "checkversion", "--json").stdout)
    assert told["installed"] == told["running"] == told["package"]
    packed = ("nss", "collect-diagnostics", "--output", "/root/found.tar.gz", "--json")
    collected = orjson.loads(machine.run(*packed, secs=120).stdout)
    assert set(collected["missing"]) == {"audit.log"}  # nobody has configured anything yet
    assert owned(machine, "/root/found.tar.gz") == "root:root 600"


def test_the_journal_has_levels_and_fields_and_members_of_the_group_see_the_status(
    machine: Machine, collector: Collector
) -> None:
    metrics = '[service]\nmetrics_listen = "127.0.0.1:9632"\n'
    started(machine, metrics + configuration("syslog_tcp", collector=collector))
    entries = ("journalctl", "-u", UNIT, "-o", "json", "NSS_EVENT=service_started")
    found = orjson.loads(machine.run(*entries).stdout.splitlines()[-1])
    assert (found["PRIORITY"], found["NSS_COMPONENT"], found["NSS_FEEDS"]) == ("6", "service", "1")
    assert found["MESSAGE"] == "service: The service is running. sources=2 feeds=1"
    assert found["_SYSTEMD_UNIT"] == UNIT
    told = machine.run("python3", "-I", "-c", SCRAPE).stdout
    assert "process_resident_memory_bytes" in told
    group = machine.run("id", "-g", "nss").stdout.strip()
    member = ("setpriv", "--reuid=nobody", "--regid=nogroup", f"--groups={group}", "nss")
    assert "feed" in machine.run(*member, "status").stdout
    assert "may ask for the status only" in machine.run(*member, "rejects", code=77).stderr
    outside = (*member[:3], "--clear-groups", "nss", "status")
    assert machine.run(*outside, code=None).returncode in {66, 69, 78}
    diagnosed = "SUDO_UID=1234 SUDO_GID=1235 nss collect-diagnostics --output /root/found.tar.gz"
    machine.run("sh", "-c", diagnosed, secs=120)
    assert machine.run("stat", "-c", "%u:%g %a", "/root/found.tar.gz").stdout == "1234:1235 600\n"


SCRAPE = """
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:9632/metrics").read().decode())
"""


def test_the_portal_is_served_with_the_rights_of_the_service_alone(
    machine: Machine, collector: Collector
) -> None:
    portal = '\n[portal]\nlisten = "0.0.0.0:9633"\nhosts = ["nss1.example.com"]\n'
    portal += 'tls_certificate = "portal.pem"\ntls_key = "portal.key"\n'
    issued = trustme.CA().issue_cert("nss1.example.com")
    machine.write("/etc/nss/portal.pem", issued.cert_chain_pems[0].bytes().decode())
    machine.write("/etc/nss/portal.key", issued.private_key_pem.bytes().decode(), mode=0o640)
    machine.run("chgrp", "nss", "/etc/nss/portal.key")
    started(machine, configuration(collector=collector, more=portal))
    assert "Nobody can sign in at the portal yet" in machine.journal()
    assert "restrict access with a firewall" in machine.run("nss", "check").stderr
    password = ["nss", "portal", "set-password", "alice", "--password-file", "-"]
    machine.run(*password, data="correct horse battery\n")
    assert owned(machine, STATE / "portal-users.json") == "nss:nss 600"

    address = f"https://{THERE}:9633"
    headers = {"host": "nss1.example.com:9633", "origin": "https://nss1.example.com:9633"}
    with httpx.Client(base_url=address, headers=headers, verify=False) as browser:  # noqa: S501 - the name is another
        given = {"user": "alice", "password": "correct horse battery"}
        assert browser.post("/sign-in", data=given).status_code == 303
        page = browser.get("/")
        assert "From sources to destinations" in page.text
        edit = html.unescape(browser.get("/configuration/edit").text)
        assert "The service can't write the file" in edit
        assert "alice (portal)" in browser.get("/audit").text
        other = browser.get("/", headers={"host": "evil.example.com"})
        assert other.status_code == 421


def test_a_dead_collector_holds_records_back_and_not_the_machine(
    machine: Machine, collector: Collector
) -> None:
    text = configuration(collector=collector).replace(f"{HERE}:{collector.tcp}", f"{HERE}:9")
    started(machine, text)
    assert over_http(["ana@example.com"]) == 200
    machine.run("nss", "restart")
    assert machine.status()["feeds"][0]["pending"] == 1
    machine.configure(text.replace(f"{HERE}:9", f"{HERE}:{collector.tcp}"))
    machine.run("nss", "reload")
    collector.wait_for_users({"ana@example.com"})
