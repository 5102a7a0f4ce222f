"""What `nss check` finds, in this process and as another process prints it."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given

from nss.errors import ServiceError
from nss.lab.ports import free_port
from nss.service.checking import CheckResult, arguments, check, printed_result
from tests import foreign

RESULT = {
    "config": "/etc/nss/nss.toml",
    "exit_code": 78,
    "message": "configuration: 1 problem",
    "tip": None,
    "problems": [{"key": "sources.web.path", "value": None, "reason": "is missing"}],
    "sources": ["web"],
    "warnings": ["a"],
    "unchecked": ["b"],
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "nss.toml"
    path.write_text(
        f"""
        [service]
        control_socket = "off"
        [spool]
        path = "spool.db"
        [sources.web]
        kind = "tcp"
        listen = "127.0.0.1:{free_port()}"
        [feeds.out]
        format = "JSON"
        [feeds.out.sink]
        kind = "file"
        path = "out.jsonl"
        """
    )
    return path


@pytest.mark.parametrize(
    ("written", "warning"),
    [
        (
            "10KB-20 mb, 3KB",
            (
                "KB is 1,024 and MB is 1,048,576 bytes in filters, as in the service; write KiB "
                "and MiB"
            ),
        ),
        ("1gb", "GB is 1,073,741,824 bytes in filters, as in the service; write GiB"),
        ("10KiB-20MiB", None),
        ("200 B", None),
    ],
)
def test_units_of_the_service_in_a_filter_are_warned_of(
    config: Path, written: str, warning: str | None
) -> None:
    keys = f"filter = {{ not_request_size = ['5-', '{written}'] }}"
    format_line = 'format = "JSON"'
    config.write_text(config.read_text().replace(format_line, f"{format_line}\n{keys}"))
    expected = [] if warning is None else [f'feed out: not_request_size "{written}": {warning}']
    assert list(check(config, frozenset()).warnings) == expected


def test_another_process_finds_the_same(config: Path) -> None:
    good = check(config, frozenset())
    assert (good.ok, good.sources, good.feeds) == (True, ("web",), ("out",))
    config.write_text(config.read_text().replace('"JSON"', '"JSN"'))
    bad = check(config, None)
    assert (bad.ok, bad.exit_code) == (False, 78)
    assert [problem.key for problem in bad.problems] == ["feeds.out.format"]
    assert bad.problems[0].value == '"JSN"'
    for text, own, found in (("JSN", None, bad), ("JSON", frozenset({"1"}), good)):
        config.write_text(config.read_text().replace('"JSN"', f'"{text}"'))
        command = [sys.executable, "-P", *arguments(config, own)]
        ran = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - ours
        assert printed_result(ran.stdout) == found


def test_what_could_not_be_seen_is_named(config: Path) -> None:
    assert check(config, None).unchecked == (
        "who has the addresses that are in use: other users' sockets can't be seen",
    )


@pytest.mark.parametrize("code", [-1, 256, 512, 1 << 40])
def test_an_exit_code_that_would_end_as_zero_is_none(code: int) -> None:
    with pytest.raises(ServiceError, match="makes no sense"):
        printed_result(b'{"config":"a","exit_code":%d}' % code)


@foreign.MANY
@given(foreign.answers(RESULT))
def test_any_result_is_one_or_a_clear_error(printed: bytes) -> None:
    found = foreign.result_of(lambda: printed_result(printed), ServiceError)
    assert isinstance(found, CheckResult | ServiceError)
