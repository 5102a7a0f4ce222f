"""A configuration that somebody edits: everything wrong at once, the difference, and no secret."""

from pathlib import Path

import pytest

from nss.config.load import load
from nss.errors import NssError
from nss.setup.editing import (
    MAX_PROBLEMS,
    MAX_TEXT_BYTES,
    Document,
    Examined,
    examined,
    examined_version,
    read_document,
)
from nss.setup.redaction import Redactor

TEXT = """\
[service]
control_socket = "off"
state_directory = "."

[spool]
kind = "memory"

[sources.web]
kind = "stdin"

[feeds.out]
format = "MCAS"

[feeds.out.sink]
kind = "file"
path = "out.log"
"""

SECRET = "hunter2-hunter2"  # noqa: S105 - of a test
KEY = "-----BEGIN PRIVATE KEY-----\n# MIIEvQIBADANBgkq\n# -----END PRIVATE KEY-----"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "nss.toml"
    found.write_text(TEXT)
    return found


def look(path: Path, text: str) -> Examined:
    return examined(read_document(path), text, load(path) if text is TEXT else None)


def shown(found: Examined) -> str:
    return "\n".join([*map(str, found.difference.lines), *map(repr, found.faults)])


def test_a_text_that_is_the_file_changes_nothing(path: Path) -> None:
    found = look(path, TEXT)
    assert not found.faults
    assert not found.is_changed
    assert found.data == TEXT.encode()
    assert not found.difference.lines


def test_every_problem_is_found_at_once_each_with_its_line(path: Path) -> None:
    text = TEXT.replace('"MCAS"', '"NOPE"\nzone = "Mars"\nsources = [\n  "web",\n  "dns",\n]')
    text = text.replace('"stdin"', '"stdin"\nspeed = 9').replace('path = "out.log"', "path = 5")
    found = look(path, text + '[service2]\nx = "y"\n')
    by_key = {fault.key: fault for fault in found.faults}
    lines = text.split("\n")
    assert {key: fault.line for key, fault in by_key.items()} == {
        "sources.web.speed": lines.index("speed = 9") + 1,
        "feeds.out.format": lines.index('format = "NOPE"') + 1,
        "feeds.out.zone": lines.index('zone = "Mars"') + 1,
        "feeds.out.sources[1]": lines.index('  "dns",') + 1,
        "feeds.out.sink.path": lines.index("path = 5") + 1,
        "service2": len(lines),
    }
    assert by_key["feeds.out.zone"].value == '"Mars"'
    assert "must be an IANA name" in by_key["feeds.out.zone"].reason


def test_what_the_machine_lacks_is_a_problem_too(path: Path) -> None:
    (fault,) = look(path, TEXT.replace('"out.log"', '"missing/out.log"')).faults
    assert (fault.key, fault.line) == ("feeds.out.sink.path", 16)
    assert f"there is no folder {path.parent / 'missing'}" in fault.reason


def test_a_text_that_is_no_toml_has_the_line_where_reading_stopped(path: Path) -> None:
    (fault,) = look(path, TEXT.replace('kind = "stdin"', 'kind = "stdin')).faults
    assert fault.line == 9
    assert fault.reason.startswith("not TOML")


def test_a_missing_section_has_no_line(path: Path) -> None:
    (fault,) = look(path, TEXT.partition("[feeds.out]")[0]).faults
    assert (fault.key, fault.line) == ("feeds", None)


def test_what_a_reload_can_t_change_is_named(path: Path) -> None:
    text = TEXT.replace('control_socket = "off"\n', "").replace(
        'kind = "memory"', 'path = "spool.db"\n[portal]\nidle_minutes = 5'
    )
    found = examined(read_document(path), text, load(path))
    keys = set(found.needing_restart)
    assert {"service.control_socket", "portal.idle_minutes", "spool.path"} <= keys
    assert not any(key.startswith(("sources", "feeds")) for key in keys)


@pytest.mark.parametrize(
    "line",
    [
        f'client_secret = "{SECRET}"',
        f'proxy = "http://user:{SECRET}@proxy:3128"',
        f"# Authorization: Bearer {SECRET}",
        f"# {KEY}",
    ],
)
def test_a_secret_in_the_file_is_not_shown_and_stays_in_it(path: Path, line: str) -> None:
    path.write_text(TEXT.replace("[sources.web]", f"[mcas]\n{line}\n\n[sources.web]"))
    document = read_document(path)
    assert SECRET not in document.hidden.text
    assert "MIIE" not in document.hidden.text
    assert document.hidden.text.count("\n") == document.text.count("\n")

    edited = document.hidden.text.replace('"MCAS"', '"QRADAR"')
    found = examined(document, edited)
    assert SECRET not in shown(found)
    assert "MIIE" not in shown(found)
    assert found.data == path.read_bytes().replace(b'"MCAS"', b'"QRADAR"')


def test_a_known_secret_is_hidden_wherever_it_is(path: Path) -> None:
    (path.parent / "token").write_text(f"{SECRET}\n")
    text = f'# it is {SECRET}\n[mcas]\ntoken_file = "token"\n{TEXT}'
    path.write_text(text)
    document = read_document(path)
    assert document.hidden.text == text.replace(SECRET, "***")
    found = examined(document, document.hidden.text.replace("stdin", f"{SECRET}"))
    assert SECRET not in shown(found)
    assert any(fault.key == "sources.web.kind" for fault in found.faults)


def test_stars_that_stand_for_nothing_are_a_problem(path: Path) -> None:
    path.write_text(f'# password = "{SECRET}"\n{TEXT}')
    document = read_document(path)
    found = examined(document, document.hidden.text.replace("# password", "# passwort"))
    assert [(fault.line, fault.reason[:3]) for fault in found.faults] == [(1, "***")]
    assert not examined(document, TEXT).faults  # the line is gone
    copied = examined(document, f'{document.hidden.text}# password = "***"\n')
    assert copied.data.count(SECRET.encode()) == 2


def test_stars_in_a_file_without_secrets_are_stars(path: Path) -> None:
    assert not look(path, f"# *** mine ***\n{TEXT}").faults


@pytest.mark.parametrize(("before", "after"), [("\n", "\r\n"), ("[service]", "\ufeff[service]")])
def test_line_ends_and_byte_order_mark_stay(path: Path, before: str, after: str) -> None:
    data = TEXT.replace(before, after).encode()
    path.write_bytes(data)
    document = read_document(path)
    assert document.text == TEXT
    assert not examined(document, TEXT).is_changed
    found = examined(document, TEXT.replace("MCAS", "CSV"))
    assert found.data == data.replace(b"MCAS", b"CSV")
    assert found.changed_lines == 2


def test_a_missing_line_feed_at_the_end_is_added_and_seen(path: Path) -> None:
    path.write_text(TEXT.rstrip("\n"))
    found = look(path, TEXT.rstrip("\n"))
    assert found.data == TEXT.encode()
    assert found.changed_lines == 1


def test_an_earlier_version_is_taken_as_it_is(path: Path) -> None:
    data = f'# password = "{SECRET}"\r\n{TEXT}# ***'.encode()
    found = examined_version(read_document(path), data)
    assert found.data == data
    assert not found.faults
    assert SECRET not in shown(found)


@pytest.mark.parametrize(
    "text",
    [
        "a" * (MAX_TEXT_BYTES + 1),
        "a." * 100_000 + "a = 1",
        "a = " + "[" * 100_000,
        "x = {" * 20_000,
        '"' * 200_000,
        "eyJ" + "-eyJ" * 50_000,
        "\0",
        "[service]\0\n",
        "\u202e = 1",
        "a = 1\n" * 40_000,
        "[sources.x]\n",
        "x = 99999999999999999999999999\n",
        f"x = {'9' * 5000}\n",
        "\ufffd\ud7ff = '\u2028'",
    ],
)
def test_a_hostile_text_is_refused_in_time_and_harmless(path: Path, text: str) -> None:
    found = look(path, text)
    assert found.faults
    assert all("\0" not in fault.reason + fault.key + fault.value for fault in found.faults)
    assert all(fault.key.isprintable() for fault in found.faults)
    assert sum(len(repr(fault)) for fault in found.faults) < 300_000


def test_of_thousands_of_problems_some_are_shown_and_all_are_counted(path: Path) -> None:
    found = look(path, "".join(f"k{n} = 1\n" for n in range(5000)) + TEXT)
    assert len(found.faults) == MAX_PROBLEMS
    assert len(found.faults) + found.further_faults == 5000


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a" * (MAX_TEXT_BYTES + 1), None])
def test_a_file_that_can_t_be_edited_says_why(path: Path, content: bytes | None) -> None:
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NssError, match=r"configuration: ") as caught:
        read_document(path)
    assert caught.value.tip


def test_a_file_that_is_wrong_can_be_edited(path: Path) -> None:
    path.write_text("[[[")
    document = read_document(path)
    assert document.text == "[[["
    assert not examined(document, TEXT).faults


def test_a_document_needs_no_file(tmp_path: Path) -> None:
    document = Document(tmp_path / "nss.toml", TEXT.encode(), Redactor([]))
    assert not examined(document, TEXT).is_changed


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (f"client_secret = {SECRET} # old", "client_secret = ***# old"),
        (f"mcas.api_key={SECRET}", "mcas.api_key=***"),
        (
            f'client_secret = """\n{SECRET}\nb\n"""\nx = 1',
            'client_secret = """***"""\n***\n***\n***\nx = 1',
        ),
        (f"client_secret = '''\n{SECRET}", "client_secret = '''***'''\n***"),
        (f'proxy = "http://me:p@{SECRET}@proxy"', 'proxy = "http://***@proxy"'),
        ("token_file = tokens/web", "token_file = tokens/web"),
    ],
)
def test_a_file_that_is_no_toml_is_shown_without_its_secrets(written: str, shown: str) -> None:
    document = Document(Path("nss.toml"), written.encode(), Redactor([]))
    assert document.hidden.text == shown
    assert document.hidden.restored(shown) == (written, [])


@pytest.mark.parametrize("filler", [b'a_secret="""\n', b"secret=", b"://a:", b"token\n", b"token"])
def test_hiding_takes_time_that_grows_with_the_text_alone(filler: bytes) -> None:
    assert len(Redactor([]).clean(filler * 100_000)) > 0
