"""`nss configure`, from options and with a person in front of it."""

import stat
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from nss.config import load as configuration
from nss.config.portal import PortalConfig
from nss.config.sinks import SyslogTcpSinkConfig, SyslogUdpSinkConfig
from nss.config.sources import TcpSourceConfig
from nss.config.values import Address
from nss.lab.ports import free_port
from tests.cli.conftest import COMMAND, ENV, Nss

pytestmark = pytest.mark.long

TO = "udp://collector.example.com:514"

Ask = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Run `nss configure` at a terminal, in a folder of its own."""

    def start(*arguments: str) -> "pexpect.spawn[str]":
        program, *rest = COMMAND
        return pexpect.spawn(
            program,
            [*rest, "configure", "--config", "nss.toml", *arguments],
            env=ENV | {"TERM": "dumb", "COLUMNS": "200"},
            cwd=str(tmp_path),
            encoding="utf-8",
            timeout=20,
            dimensions=(80, 200),
        )

    return start


def answered(person: "pexpect.spawn[str]", *answers: str) -> tuple[int, str]:
    """Answer one question after the other; returns the exit code and all that was shown."""
    seen = ""
    for answer in answers:
        person.expect(r"(\]: )")
        seen += person.before or ""
        person.sendline(answer)
    person.expect(pexpect.EOF)
    seen += person.before or ""
    person.close()
    return person.exitstatus or 0, seen


def test_options_make_a_commented_file_that_is_good(nss: Nss, tmp_path: Path) -> None:
    to = ("--to", TO, "--to", "tls://siem.example.com:6514", "--to", "mcas", "--to", "file:out.log")
    listen = ("--listen-tcp", ":514", "--listen-http", "127.0.0.1:8088", "--token-file", "token")
    ran = nss("configure", "--config", "nss.toml", *listen, "--file", "web.log", *to)
    assert ran.returncode == 0, ran.stderr
    made = configuration.load(tmp_path / "nss.toml")
    assert [source.name for source in made.sources] == ["tcp", "push", "web"]
    assert [feed.name for feed in made.feeds] == ["mcas", "siem-tls", "upload", "archive"]
    assert "# Where records come from." in (tmp_path / "nss.toml").read_text()
    assert stat.S_IMODE((tmp_path / "nss.toml").stat().st_mode) == 0o640
    assert b"sudo nss configure-mcas2" in ran.stdout


def test_two_places_of_a_kind_are_two_feeds(nss: Nss, tmp_path: Path) -> None:
    ran = nss("configure", "--config", "nss.toml", "--to", TO, "--to", "udp://second.example.com")
    assert ran.returncode == 0, ran.stderr
    made = configuration.load(tmp_path / "nss.toml")
    assert [feed.name for feed in made.feeds] == ["mcas", "mcas-2"]


def test_a_person_is_asked_and_sees_what_is_written(ask: Ask, tmp_path: Path) -> None:
    answers = ("0.0.0.0:5514", "", "", "QRADAR", "Europe/Berlin", "none")
    code, seen = answered(ask(), *answers, "tcp://siem.example.com:1514", "", "y")
    assert code == 0, seen
    made = configuration.load(tmp_path / "nss.toml")
    assert isinstance(made.sources[0], TcpSourceConfig)
    assert str(made.sources[0].listen) == "0.0.0.0:5514"
    assert (made.feeds[0].zone, made.feeds[0].format.value) == ("Europe/Berlin", "QRADAR")
    assert isinstance(made.feeds[0].sink, SyslogTcpSinkConfig)
    assert 'kind = "syslog_tcp"' in seen


def test_a_wrong_answer_is_reported_and_asked_again(ask: Ask, tmp_path: Path) -> None:
    answers = ("5514", ":5514", "", "", "MCSA", "MCAS", "", "udp", "collector", "", "a:b")
    others = ("collector.example.com", "siem", "UDP://collector.example.com:514", TO, "")
    code, seen = answered(ask(), *answers, *others, "y")
    assert code == 0, seen
    assert "has no port" in seen
    assert "the nearest is MCAS" in seen
    assert "it must be one of upload, collector, both, none" in seen
    assert "this is no place for records: siem" in seen
    assert f"records go to {TO} already" in seen
    assert isinstance(configuration.load(tmp_path / "nss.toml").feeds[0].sink, SyslogUdpSinkConfig)


def test_enter_all_the_way_changes_nothing(nss: Nss, ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "nss.toml"
    listen = ("--listen-http", "127.0.0.1:8088", "--token-file", "token", "--file", "web.log")
    nss("configure", "--config", path, *listen, "--zone", "GMT+01:00", "--to", TO, "--to", "mcas")
    before = configuration.load(path)
    code, seen = answered(ask(), *[""] * 10)
    assert code == 0, seen
    assert configuration.load(path) == before


def test_a_person_chooses_upload_log_collector_and_siem(ask: Ask, tmp_path: Path) -> None:
    answers = (
        "",
        "",
        "",
        "JSON",
        "",
        "both",
        "collector.example.com",
        "tls://siem.example.com:6514",
    )
    code, seen = answered(ask(), *answers, "", "")
    assert code == 0, seen
    assert "MCAS then gets each record twice" in seen
    made = configuration.load(tmp_path / "nss.toml")
    assert [(feed.name, feed.format.value) for feed in made.feeds] == [
        *(("upload", "MCAS"), ("mcas", "JSON"), ("siem-tls", "JSON")),
    ], "Cloud Discovery parses no JSON"
    assert 'data_source = "NSS"' in (tmp_path / "nss.toml").read_text()
    assert answered(ask(), *[""] * 10)[0] == 0
    assert configuration.load(tmp_path / "nss.toml") == made


def test_no_is_no(ask: Ask, tmp_path: Path) -> None:
    code, seen = answered(ask(), ":5514", "", "", "", "", "upload", "", "n")
    assert (code, "Nothing was written." in seen) == (1, True)
    assert not (tmp_path / "nss.toml").exists()


@pytest.mark.parametrize(
    ("options", "feeds"),
    [
        (("--mcas", "upload"), ["upload"]),
        (("--mcas", "collector", "--collector", "collector.example.com:514"), ["mcas"]),
        (("--mcas", "both", "--collector", "collector.example.com"), ["upload", "mcas"]),
        (("--collector", "collector.example.com", "--to", "file:out"), ["mcas", "archive"]),
        (("--mcas", "upload", "--to", "tcp://siem.example.com:601"), ["upload", "siem"]),
    ],
)
def test_options_choose_how_mcas_gets_records(
    nss: Nss, tmp_path: Path, options: tuple[str, ...], feeds: list[str]
) -> None:
    ran = nss("configure", "--config", "nss.toml", *options)
    assert ran.returncode == 0, ran.stderr
    made = configuration.load(tmp_path / "nss.toml")
    assert [feed.name for feed in made.feeds] == feeds
    spool = f'[spool]\npath = "{tmp_path / "spool.db"}"'
    path = tmp_path / "nss.toml"
    text = path.read_text().replace("[spool]", spool)
    assert text.count("127.0.0.1:5514") == 1
    text = text.replace("127.0.0.1:5514", f"127.0.0.1:{free_port()}")
    here = f'[service]\nstate_directory = "{tmp_path}"\ncontrol_socket = "{tmp_path / "socket"}"'
    path.write_text(text.replace("[service]", here))
    checked = nss("check", "--config", path)
    assert checked.returncode == 0, checked.stderr


def test_an_upload_is_added_to_a_file_and_nothing_is_lost(nss: Nss, tmp_path: Path) -> None:
    path = tmp_path / "nss.toml"
    nss("configure", "--config", path, "--to", TO, "--to", "tls://siem.example.com:6514")
    own = path.read_text() + '\n[mcas]\nca_file = "/etc/own.pem"\ntimeout_secs = 5.0\n'
    path.write_text(own)
    ran = nss("configure", "--config", path, "--mcas", "both")
    assert ran.returncode == 0, ran.stderr
    made = configuration.load(path)
    assert [feed.name for feed in made.feeds] == ["upload", "mcas", "siem-tls"]
    assert (str(made.mcas.ca_file), made.mcas.timeout_secs) == ("/etc/own.pem", 5.0)
    assert b"Feeds: upload to mcas, mcas to udp://collector.example.com:514, siem-tls" in ran.stdout
    assert b"No longer there" not in ran.stdout
    ran = nss("configure", "--config", path, "--mcas", "upload")
    assert [feed.name for feed in configuration.load(path).feeds] == ["upload", "siem-tls"]
    assert b"No longer there: feed mcas. nss.toml.old has it." in ran.stdout
    assert configuration.load(tmp_path / "nss.toml.old") == made


def test_what_is_next_stands_in_columns_and_names_the_file(nss: Nss, tmp_path: Path) -> None:
    path = tmp_path / "my file.toml"
    ran = nss("configure", "--config", path, "--to", "mcas")
    assert ran.returncode == 0
    assert ran.stdout.decode().partition("Next:\n")[2].replace(f" --config '{path}'", "@") == (
        "  sudo nss configure-mcas2@      the credentials for uploads\n"
        "  nss test-firewall@             whether everything can be reached\n"
        "  sudo nss portal set-password@  who may sign in at the portal\n"
        "  sudo nss start@                or nss reload, if it runs\n"
    )


def test_two_log_collectors_are_refused(nss: Nss, tmp_path: Path) -> None:
    collectors = ("--collector", "a.example.com", "--collector", "b.example.com")
    ran = nss("configure", "--config", "nss.toml", *collectors)
    assert ran.returncode == 64
    assert ran.stderr.decode() == (
        "nss: configure: --collector is given twice, and there is one log collector\n"
        "Try: --collector for one, --to udp://HOST:PORT for the other\n"
    )
    assert not (tmp_path / "nss.toml").exists()


def test_the_file_before_stays_beside_the_new_one(nss: Nss, tmp_path: Path) -> None:
    path = tmp_path / "nss.toml"
    nss("configure", "--config", path, "--to", TO)
    first = path.read_text()
    ran = nss("configure", "--config", path, "--format", "QRADAR")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "nss.toml.old").read_text() == first
    assert configuration.load(path).feeds[0].format.value == "QRADAR"


def test_the_portal_is_on_in_a_new_file_and_nobody_is_asked(nss: Nss, tmp_path: Path) -> None:
    path = tmp_path / "nss.toml"
    ran = nss("configure", "--config", path, "--to", TO)
    assert configuration.load(path).portal == PortalConfig(listen=Address("127.0.0.1", 9633))
    assert b"sudo nss portal set-password" in ran.stdout


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "listen = '[::1]:9999'\nidle_minutes = 5",
        "listen = ':9633'\nhosts = ['nss1']\ntls_certificate = 'a b.pem'\ntls_key = '/etc/key'",
    ],
)
def test_what_was_chosen_for_the_portal_is_kept(nss: Nss, tmp_path: Path, kept: str) -> None:
    path = tmp_path / "nss.toml"
    nss("configure", "--config", path, "--to", TO)
    path.write_text(path.read_text().replace('listen = "127.0.0.1:9633"', kept))
    before = configuration.load(path).portal
    ran = nss("configure", "--config", path, "--format", "QRADAR")
    assert ran.returncode == 0, ran.stderr
    assert configuration.load(path).portal == before
    assert (b"set-password" in ran.stdout) == bool(kept)


def test_what_the_questions_do_not_cover_is_not_lost(nss: Nss, tmp_path: Path) -> None:
    path = tmp_path / "nss.toml"
    nss("configure", "--config", path, "--to", TO)
    own = path.read_text().replace("#max_messages_per_sec = 9000", "max_messages_per_sec = 9000")
    path.write_text(own)
    ran = nss("configure", "--config", path, "--zone", "GMT+02:00")
    assert ran.returncode == 64
    assert b"max_messages_per_sec = 9000" in ran.stderr
    assert path.read_text() == own
    assert nss("configure", "--config", path, "--zone", "GMT+02:00", "--force").returncode == 0


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        ((), 64, b"nobody to ask"),
        (("--listen-tcp", ":514"), 64, b"have to go somewhere"),
        (("--to", "collector"), 64, b"no place for records"),
        (("--to", TO, "--to", "udp://COLLECTOR.example.com"), 64, b"to the same place twice"),
        (("--to", TO, "--collector", "collector.example.com"), 64, b"to the same place twice"),
        (("--mcas", "both"), 64, b"which log collector?"),
        (("--mcas", "upload", "--collector", "collector"), 64, b"does not go with --mcas upload"),
        (("--to", TO, "--zone", "Mars"), 78, b"zone"),
        (("--to", TO, "--listen-tcp", "none"), 78, b"sources"),
    ],
)
def test_what_makes_no_sense_is_reported_and_writes_nothing(
    nss: Nss, tmp_path: Path, options: tuple[str, ...], code: int, reason: bytes
) -> None:
    ran = nss("configure", "--config", tmp_path / "nss.toml", *options)
    assert ran.returncode == code, ran.stderr
    assert reason in ran.stderr
    assert not (tmp_path / "nss.toml").exists()
