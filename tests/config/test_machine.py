"""What a configuration needs of the machine, shown before anything is started."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from formats import presets
from formats.errors import Problem
from nss.config.files import UnfitFile, load_format, read_obfuscation_key
from nss.config.load import load, parse
from nss.config.machine import check_environment
from nss.config.values import FormatChoice
from nss.errors import DeviceFailed

SERVICE = """
[service]
control_socket = "off"
[spool]
kind = "memory"
"""

FEED = """
[feeds.mcas]
format = "MCAS"
sink = {kind = "syslog_udp", destinations = ["collector.invalid"]}
"""


def problems(text: str, folder: Path) -> list[Problem]:
    return check_environment(parse(SERVICE + text, folder))


def source(keys: str) -> str:
    return f"[sources.web]\n{keys}\n{FEED}"


def feed(keys: str) -> str:
    sink = 'sink = {kind = "file", path = "-"}'
    keys = keys if "sink" in keys else f"{keys}\n{sink}"
    keys = keys if "format" in keys else f'{keys}\nformat = "CSV"'
    return f"[sources.web]\nkind = 'stdin'\n[feeds.mcas]\n{keys}\n"


TLS = """
kind = "tcp"
listen = "127.0.0.1:5514"
tls_certificate = "server.pem"
tls_key = "server.key"
tls_client_ca = "ca.pem"
"""


def test_a_followed_file_may_come_later(tmp_path: Path) -> None:
    assert problems(source("kind = 'file'\npath = 'web.log'"), tmp_path) == []


def test_a_followed_file_needs_its_folder(tmp_path: Path) -> None:
    assert problems(source("kind = 'file'\npath = 'logs/web.log'"), tmp_path) == [
        Problem(
            "sources.web.path", f"{tmp_path}/logs/web.log", f"there is no folder {tmp_path}/logs"
        )
    ]


def test_a_file_to_read_once_must_be_there(tmp_path: Path) -> None:
    assert problems(source("kind = 'file'\npath = 'web.log'\nfollow = false"), tmp_path) == [
        Problem("sources.web.path", f"{tmp_path}/web.log", "no such file or directory")
    ]


def test_a_folder_is_no_file_to_read_or_write(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    text = source("kind = 'file'\npath = 'in'").replace(
        'kind = "syslog_udp", destinations = ["collector.invalid"]', 'kind = "file", path = "out"'
    )
    assert problems(text, tmp_path) == [
        Problem("sources.web.path", f"{tmp_path}/in", "is a folder; must be a file"),
        Problem("feeds.mcas.sink.path", f"{tmp_path}/out", "is a folder; must be a file"),
    ]


def test_a_path_that_no_file_system_takes_is_reported(tmp_path: Path) -> None:
    name = "x" * 300
    text = source(f"kind = 'file'\npath = '{name}'")
    assert problems(text, tmp_path) == [
        Problem("sources.web.path", f"{tmp_path}/{name}", "file name too long")
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_reported(tmp_path: Path) -> None:
    (tmp_path / "web.log").touch(mode=0o000)
    assert problems(source("kind = 'file'\npath = 'web.log'"), tmp_path) == [
        Problem("sources.web.path", f"{tmp_path}/web.log", "permission denied")
    ]


def test_a_file_sink_needs_its_folder(tmp_path: Path) -> None:
    assert problems(feed("sink = {kind = 'file', path = 'out/lines'}"), tmp_path) == [
        Problem(
            "feeds.mcas.sink.path", f"{tmp_path}/out/lines", f"there is no folder {tmp_path}/out"
        )
    ]


def test_format_files_that_compile_are_no_problem(tmp_path: Path) -> None:
    (tmp_path / "own.fof").write_text("%s{login} %s{url}\n")
    text = feed("format = 'own.fof'").replace("'stdin'", "'stdin'\nformat = 'own.fof'")
    assert problems(text, tmp_path) == []


def test_format_files_that_are_unfit_are_reported(tmp_path: Path) -> None:
    (tmp_path / "typo.fof").write_text("%s{urll}\n")
    (tmp_path / "latin.fof").write_bytes(b"%s{url} caf\xe9")
    (tmp_path / "static.fof").write_text("nothing\n")
    (tmp_path / "glued.fof").write_text("%s{url}%s{ua}\n")
    (tmp_path / "huge.fof").write_bytes(b"x" * ((1 << 20) + 1))
    (tmp_path / "folder.fof").mkdir()
    names = ["typo", "latin", "static", "glued", "huge", "folder", "absent"]
    reason = {
        "typo": "unknown field 'urll' (column 4)\n  %s{urll}\n     ^\nTry: %s{url}",
        "latin": "byte 12 is not UTF-8",
        "static": "prints no field",
        "huge": "has more than 1048576 bytes",
        "folder": "is not a regular file",
        "absent": "no such file or directory",
    }
    shown = {name: problems(feed(f"format = '{name}.fof'"), tmp_path) for name in names}
    assert shown == {
        name: [Problem("feeds.mcas.format", f"{tmp_path}/{name}.fof", reason[name])]
        if name in reason
        else []
        for name in names
    }


def test_a_format_file_of_a_source_must_be_readable_back(tmp_path: Path) -> None:
    (tmp_path / "glued.fof").write_text("%s{url}%s{ua}\n")
    (problem,) = problems(source("kind = 'stdin'\nformat = 'glued.fof'"), tmp_path)
    assert problem == Problem(
        "sources.web.format",
        f"{tmp_path}/glued.fof",
        "can't be read back: nothing between %s{url} and %s{ua} tells them apart",
    )


def test_a_tls_listener_with_all_its_files_is_no_problem(
    tmp_path: Path, write_pair: Callable[[str], None]
) -> None:
    write_pair("server")
    assert problems(source(TLS), tmp_path) == []


def test_missing_tls_files_are_reported_each(tmp_path: Path) -> None:
    missing = "no such file or directory"
    assert problems(source(TLS), tmp_path) == [
        Problem("sources.web.tls_certificate", f"{tmp_path}/server.pem", missing),
        Problem("sources.web.tls_key", f"{tmp_path}/server.key", missing),
        Problem("sources.web.tls_client_ca", f"{tmp_path}/ca.pem", missing),
    ]


def test_a_key_of_another_certificate_is_reported(
    tmp_path: Path, write_pair: Callable[[str], None]
) -> None:
    write_pair("server")
    write_pair("other")
    text = source(TLS.replace("server.key", "other.key"))
    assert problems(text, tmp_path) == [
        Problem(
            "sources.web.tls_key",
            f"{tmp_path}/other.key",
            f"is not the key of {tmp_path}/server.pem",
        )
    ]


def test_tls_files_that_are_no_pem_are_reported(
    tmp_path: Path, write_pair: Callable[[str], None]
) -> None:
    write_pair("server")
    (tmp_path / "server.pem").write_text("no certificate")
    (tmp_path / "ca.pem").write_text("")
    assert problems(source(TLS), tmp_path) == [
        Problem(
            "sources.web.tls_certificate",
            f"{tmp_path}/server.pem",
            f"has no certificate in PEM, or {tmp_path}/server.key has no private key",
        ),
        Problem("sources.web.tls_client_ca", f"{tmp_path}/ca.pem", "has no certificate in PEM"),
    ]


def test_an_encrypted_key_is_reported_and_nobody_is_asked(
    tmp_path: Path, write_pair: Callable[[str], None]
) -> None:
    write_pair("server")
    file = tmp_path / "server.key"
    key = load_pem_private_key(file.read_bytes(), None)
    locked = BestAvailableEncryption(b"secret")
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    assert problems(source(TLS), tmp_path) == [
        Problem("sources.web.tls_key", str(file), "is encrypted; must be a key without password")
    ]


def test_a_tls_key_that_everyone_may_read_is_reported(
    tmp_path: Path, write_pair: Callable[[str], None]
) -> None:
    write_pair("server")
    (tmp_path / "server.key").chmod(0o644)
    assert problems(source(TLS), tmp_path) == [
        Problem("sources.web.tls_key", f"{tmp_path}/server.key", "is open to everyone; chmod o= it")
    ]


@pytest.mark.parametrize(
    ("data", "key"), [(b"s3cret", b"s3cret"), (b"a\n", b"a"), (b"a\r\n", b"a"), (b"a\n\n", b"a\n")]
)
def test_one_line_end_is_not_part_of_the_obfuscation_key(
    tmp_path: Path, data: bytes, key: bytes
) -> None:
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_bytes(data)
    assert read_obfuscation_key(file) == key
    assert problems(feed("obfuscation_key_file = 'key'"), tmp_path) == []


@pytest.mark.parametrize(
    ("data", "mode", "reason"),
    [
        (b"", 0o600, "is empty"),
        (b"\n", 0o600, "is empty"),
        (b"s3cret", 0o644, "is open to everyone; chmod o= it"),
        (b"s3cret", 0o602, "is open to everyone; chmod o= it"),
        (b"x" * 65_537, 0o600, "has more than 65536 bytes"),
    ],
)
def test_an_unfit_obfuscation_key_is_reported_without_its_text(
    tmp_path: Path, data: bytes, mode: int, reason: str
) -> None:
    file = tmp_path / "key"
    file.write_bytes(data)
    file.chmod(mode)
    assert problems(feed("obfuscation_key_file = 'key'"), tmp_path) == [
        Problem("feeds.mcas.obfuscation_key_file", str(file), reason)
    ]
    with pytest.raises(UnfitFile) as caught:
        read_obfuscation_key(file)
    assert str(caught.value) == f"obfuscation key {file}: {reason}"


def test_a_format_is_loaded_by_whichever_way_it_was_chosen(tmp_path: Path) -> None:
    (tmp_path / "own.fof").write_text("%s{url}")
    own = load_format(FormatChoice("file", str(tmp_path / "own.fof")))
    string = load_format(FormatChoice("string", "%s{url}"))
    assert own is not None
    assert string is not None
    assert (own.name, own.parts) == ("own", string.parts)
    assert load_format(FormatChoice("preset", "MCAS")) == presets.load("MCAS")
    assert load_format(FormatChoice("auto")) is None
    assert load_format(FormatChoice("json")) is None


def test_a_format_file_that_went_away_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnfitFile) as caught:
        load_format(FormatChoice("file", str(tmp_path / "own.fof")))
    assert str(caught.value) == f"feed format {tmp_path}/own.fof: no such file or directory"


UPLOAD = """
[sources.web]
kind = "stdin"
[feeds.up]
format = "MCAS"
sink = {kind = "cloud_discovery"}
"""


def test_uploads_need_the_state_directory(tmp_path: Path) -> None:
    text = UPLOAD + "[mcas]\n"
    service = SERVICE.replace("[spool]", 'state_directory = "state"\n[spool]')
    (missing,) = check_environment(parse(service + text, tmp_path))
    (tmp_path / "state").mkdir()
    assert missing.key == "service.state_directory"
    assert missing.reason == (
        f"there is no folder {tmp_path / 'state'}\nTry: create it for the user that nss runs as, "
        "or set service.state_directory"
    )
    assert check_environment(parse(service + text, tmp_path)) == []


def test_without_uploads_nobody_needs_a_state_directory(tmp_path: Path) -> None:
    service = SERVICE.replace("[spool]", 'state_directory = "missing"\n[spool]')
    assert check_environment(parse(service + source("kind = 'stdin'"), tmp_path)) == []


def test_what_the_way_to_mcas_needs_is_looked_at(tmp_path: Path) -> None:
    mcas = """
    [mcas]
    proxy = "http://proxy:3128"
    proxy_auth_file = "auth"
    ca_file = "ca.pem"
    """
    (tmp_path / "auth").write_text("nocolon")
    (tmp_path / "auth").chmod(0o600)
    (tmp_path / "ca.pem").write_text("nothing")
    shown = [
        (problem.key, problem.reason)
        for problem in problems(source("kind = 'stdin'") + mcas, tmp_path)
    ]
    assert shown == [
        ("mcas.ca_file", "has no certificate in PEM"),
        ("mcas.proxy_auth_file", "must be USER:PASSWORD, both not empty"),
    ]


@pytest.mark.parametrize("at", ["folder", "configuration"])
def test_a_disk_that_fails_says_nothing_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """And so must not end with 78, with which the service is never started again."""
    (tmp_path / "nss.toml").write_text(
        '[spool]\npath = "spool.db"\n[sources.web]\nkind = "stdin"\nformat = "json"\n'
        '[feeds.out]\nformat = "QRADAR"\nsink = { kind = "file", path = "lines" }\n'
    )
    real_open, real_stat = os.open, os.stat

    def failing(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def called(path: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as the system's
            if str(path).endswith(name):
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
            return real(path, *args, **options)

        return called

    if at == "configuration":
        monkeypatch.setattr(os, "open", failing(real_open, "nss.toml"))
    else:
        monkeypatch.setattr(os, "stat", failing(real_stat, "spool.db"))
    with pytest.raises(DeviceFailed, match="input/output error") as raised:
        check_environment(load(tmp_path / "nss.toml"))
    assert raised.value.exit_code == 74


def test_an_upload_that_cloud_discovery_would_not_parse_is_a_problem(tmp_path: Path) -> None:
    service = SERVICE.replace("[spool]", f'state_directory = "{tmp_path}"\n[spool]')
    text = UPLOAD.replace('"MCAS"', '"JSON"')
    (found,) = check_environment(parse(service + text, tmp_path))
    assert (found.key, found.value) == ("feeds.up.format", "JSON")
