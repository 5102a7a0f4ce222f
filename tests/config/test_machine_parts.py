"""What the spool, the control socket, HTTP, TLS to a collector and rotation need of the machine."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from formats.errors import Problem
from nss.config.files import UnfitFile, read_basic, read_token
from nss.config.load import ConfigProblems, how_to_correct, parse
from nss.config.machine import check_environment

SOURCE = "kind = 'stdin'"
SINK = "kind = 'file'\npath = '-'"
ABSENT = "no such file or directory"


def problems(
    folder: Path,
    *,
    service: str = "control_socket = 'off'",
    spool: str = "kind = 'memory'",
    source: str = SOURCE,
    sink: str = SINK,
) -> list[Problem]:
    text = f"""
[service]
{service}
[spool]
{spool}
[sources.web]
{source}
[feeds.out]
format = "CSV"
[feeds.out.sink]
{sink}
"""
    return check_environment(parse(text, folder))


def secret(file: Path, data: bytes, mode: int = 0o640) -> Path:
    file.write_bytes(data)
    file.chmod(mode)
    return file


def test_a_spool_and_a_socket_need_their_folders_and_the_person_learns_what_to_do() -> None:
    found = problems(
        Path("/absent"), service="control_socket = 'run/nss.sock'", spool="path = 'lib/spool.db'"
    )
    assert str(ConfigProblems(found, "nss.toml")) == (
        "configuration: 2 problems (nss.toml)\n"
        '  service.control_socket = "/absent/run/nss.sock": there is no folder /absent/run\n'
        "    Try: create it for the user that nss runs as, or set service.control_socket, perhaps "
        'to "off"\n'
        '  spool.path = "/absent/lib/spool.db": there is no folder /absent/lib\n'
        "    Try: create it for the user that nss runs as, or set spool.path, or spool.kind = "
        '"memory" if losing records in a crash does not matter\n'
        f"Try: {how_to_correct()}"
    )


@pytest.mark.parametrize("there", [False, True])
def test_a_spool_may_be_there_already_or_not(tmp_path: Path, *, there: bool) -> None:
    if there:
        (tmp_path / "spool.db").touch()
    assert problems(tmp_path, spool="path = 'spool.db'") == []


def test_a_spool_is_a_regular_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        assert problems(tmp_path, spool=f"path = '{name}'") == [
            Problem("spool.path", f"{tmp_path}/{name}", "is not a regular file")
        ]


def test_paths_that_no_file_system_takes_are_reported(tmp_path: Path) -> None:
    name = "x" * 300
    assert problems(
        tmp_path, spool=f"path = '{name}'", sink=f"kind = 'file'\npath = '{name}.jsonl'"
    ) == [
        Problem("spool.path", f"{tmp_path}/{name}", "file name too long"),
        Problem("feeds.out.sink.path", f"{tmp_path}/{name}.jsonl", "file name too long"),
    ]


def test_a_control_socket_may_be_there_already_but_nothing_else_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the whole path might be too long for a socket
    service = "control_socket = 'nss.sock'"
    assert problems(Path(), service=service) == []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("nss.sock")
        assert problems(Path(), service=service) == []
    (tmp_path / "nss.sock").unlink()
    (tmp_path / "nss.sock").touch()
    assert problems(Path(), service=service) == [
        Problem("service.control_socket", "nss.sock", "is something else than a socket already")
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folders_and_files_that_may_not_be_written_are_reported(tmp_path: Path) -> None:
    (tmp_path / "lines").touch()
    (tmp_path / "spool.db").touch(mode=0o400)
    (tmp_path / "shut").mkdir(mode=0o500)
    tmp_path.chmod(0o500)
    rotated = "kind = 'file'\npath = 'lines'\nrotate_bytes = '1MB'"
    shut = "permission denied: the user that nss runs as must write in the folder"
    assert problems(
        tmp_path,
        service="control_socket = 'nss.sock'",
        spool="path = 'shut/spool.db'",
        sink=rotated,
    ) == [
        Problem("service.control_socket", f"{tmp_path}/nss.sock", f"{shut} {tmp_path}"),
        Problem("spool.path", f"{tmp_path}/shut/spool.db", f"{shut} {tmp_path}/shut"),
        Problem(
            "feeds.out.sink.path",
            f"{tmp_path}/lines",
            f"permission denied: rotate_bytes needs to write in the folder {tmp_path}",
        ),
    ]
    assert problems(tmp_path, sink="kind = 'file'\npath = 'lines'") == []
    tmp_path.chmod(0o700)
    assert problems(tmp_path, spool="path = 'spool.db'") == [
        Problem(
            "spool.path",
            f"{tmp_path}/spool.db",
            "permission denied: the user that nss runs as must read and write it",
        )
    ]


def test_only_regular_files_are_rotated(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    pipe = "kind = 'file'\npath = 'pipe'"
    assert problems(tmp_path, sink=pipe) == []
    assert problems(tmp_path, sink=f"{pipe}\nrotate_bytes = '1MB'") == [
        Problem(
            "feeds.out.sink.path",
            f"{tmp_path}/pipe",
            "is not a regular file, which rotate_bytes needs",
        )
    ]
    assert problems(tmp_path, sink="kind = 'file'\npath = 'new'\nrotate_bytes = '1MB'") == []


HTTP = "kind = 'http'\nlisten = '127.0.0.1:0'\n"


@pytest.mark.parametrize(
    ("data", "token"), [(b"t0k3n~!", b"t0k3n~!"), (b"a\n", b"a"), (b"a=\r\n", b"a=")]
)
def test_one_line_end_is_not_part_of_a_token(tmp_path: Path, data: bytes, token: bytes) -> None:
    assert read_token(secret(tmp_path / "token", data)) == token
    assert problems(tmp_path, source=f"{HTTP}token_file = 'token'") == []


BLANK = "must be printable ASCII characters without blanks"
LARGE = "has more than 4096 bytes"
OPEN = "is open to everyone; chmod o= it"


@pytest.mark.parametrize(
    ("data", "mode", "reason"),
    [
        (b"", 0o600, "is empty"),
        (b"\n", 0o600, "is empty"),
        (b"two words", 0o600, BLANK),
        (b"two\nlines\n", 0o600, BLANK),
        (b"a\n\n", 0o600, BLANK),
        (b"caf\xc3\xa9", 0o600, BLANK),
        (b"a\x7f", 0o600, BLANK),
        (b"a\0", 0o600, BLANK),
        (b"t0k3n", 0o644, OPEN),
        (b"x" * 4097, 0o600, LARGE),
    ],
)
def test_an_unfit_token_is_reported_without_its_text(
    tmp_path: Path, data: bytes, mode: int, reason: str
) -> None:
    file = secret(tmp_path / "token", data, mode)
    assert problems(tmp_path, source=f"{HTTP}token_file = 'token'") == [
        Problem("sources.web.token_file", str(file), reason)
    ]
    with pytest.raises(UnfitFile) as caught:
        read_token(file)
    assert str(caught.value) == f"token {file}: {reason}"


@pytest.mark.parametrize(
    ("data", "credentials"),
    [
        (b"nss:s3cret", b"nss:s3cret"),
        (b"nss:a:b c\n", b"nss:a:b c"),
        (b"nss:p\xc3\xa4ss\r\n", b"nss:p\xc3\xa4ss"),
    ],
)
def test_one_line_end_is_not_part_of_user_and_password(
    tmp_path: Path, data: bytes, credentials: bytes
) -> None:
    assert read_basic(secret(tmp_path / "password", data)) == credentials
    assert problems(tmp_path, source=f"{HTTP}basic_file = 'password'") == []


PAIR = "must be USER:PASSWORD, both not empty"
ONE_LINE = "must be one line, without control characters"


@pytest.mark.parametrize(
    ("data", "mode", "reason"),
    [
        (b"\r\n", 0o600, "is empty"),
        (b"s3cret\n", 0o600, PAIR),
        (b":s3cret", 0o600, PAIR),
        (b"nss:\n", 0o600, PAIR),
        (b"nss:s3cret\nother:s3cret\n", 0o600, ONE_LINE),
        (b"nss:\t", 0o600, ONE_LINE),
        (b"nss:a\x7f", 0o600, ONE_LINE),
        (b"nss:s3cret", 0o604, OPEN),
        (b"n:" + b"x" * 4096, 0o600, LARGE),
    ],
)
def test_unfit_user_and_password_are_reported_without_their_text(
    tmp_path: Path, data: bytes, mode: int, reason: str
) -> None:
    file = secret(tmp_path / "password", data, mode)
    assert problems(tmp_path, source=f"{HTTP}basic_file = 'password'") == [
        Problem("sources.web.basic_file", str(file), reason)
    ]
    with pytest.raises(UnfitFile) as caught:
        read_basic(file)
    assert str(caught.value) == f"user and password {file}: {reason}"


def test_files_of_an_http_listener_that_are_missing_are_reported_each(tmp_path: Path) -> None:
    keys = ("token_file", "tls_certificate", "tls_key", "tls_client_ca")
    source = HTTP + "".join(f"{key} = '{key}'\n" for key in keys)
    assert problems(tmp_path, source=source) == [
        Problem(f"sources.web.{key}", f"{tmp_path}/{key}", ABSENT) for key in keys
    ]


def test_an_http_listener_needs_the_key_of_its_certificate(
    tmp_path: Path, write_pair: Callable[[str], None]
) -> None:
    write_pair("server")
    write_pair("other")
    tls = "tls_certificate = 'server.pem'\ntls_client_ca = 'ca.pem'\n"
    assert problems(tmp_path, source=f"{HTTP}{tls}tls_key = 'server.key'") == []
    assert problems(tmp_path, source=f"{HTTP}{tls}tls_key = 'other.key'") == [
        Problem(
            "sources.web.tls_key",
            f"{tmp_path}/other.key",
            f"is not the key of {tmp_path}/server.pem",
        )
    ]


TCP = "kind = 'syslog_tcp'\ndestinations = ['collector.invalid']\n"
TLS = f"{TCP}tls = true\ntls_ca = 'ca.pem'\ntls_certificate = 'nss.pem'\ntls_key = 'nss.key'\n"


def test_a_sink_with_all_its_tls_files_or_none_is_no_problem(
    tmp_path: Path, write_pair: Callable[[str], None]
) -> None:
    write_pair("nss")
    assert problems(tmp_path, sink=TLS) == []
    assert problems(tmp_path, sink=f"{TCP}tls = true") == []
    assert problems(tmp_path, sink=TCP) == []


def test_tls_files_of_a_sink_that_are_missing_are_reported_each(tmp_path: Path) -> None:
    assert problems(tmp_path, sink=TLS) == [
        Problem("feeds.out.sink.tls_ca", f"{tmp_path}/ca.pem", ABSENT),
        Problem("feeds.out.sink.tls_certificate", f"{tmp_path}/nss.pem", ABSENT),
        Problem("feeds.out.sink.tls_key", f"{tmp_path}/nss.key", ABSENT),
    ]


def test_tls_files_of_a_sink_that_are_unfit_are_reported_each(
    tmp_path: Path, write_pair: Callable[[str], None], authority: trustme.CA
) -> None:
    write_pair("nss")
    authority.issue_cert("other").private_key_pem.write_to_path(tmp_path / "nss.key")
    (tmp_path / "nss.key").chmod(0o600)
    (tmp_path / "ca.pem").write_text("nobody")
    assert problems(tmp_path, sink=TLS) == [
        Problem("feeds.out.sink.tls_ca", f"{tmp_path}/ca.pem", "has no certificate in PEM"),
        Problem(
            "feeds.out.sink.tls_key", f"{tmp_path}/nss.key", f"is not the key of {tmp_path}/nss.pem"
        ),
    ]
    (tmp_path / "nss.key").chmod(0o644)
    assert problems(tmp_path, sink=TLS) == [
        Problem("feeds.out.sink.tls_ca", f"{tmp_path}/ca.pem", "has no certificate in PEM"),
        Problem("feeds.out.sink.tls_key", f"{tmp_path}/nss.key", OPEN),
    ]
