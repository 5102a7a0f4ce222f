"""`nss explain`: what each key is taken for, what is missing, and never a false yes."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from formats import FeedSettings, Pipeline, json_names, presets
from nss.lab.generator import RecordGenerator
from tests.cli.conftest import Nss

pytestmark = pytest.mark.long

WHOLE = {
    "time": "2023-10-06 09:05:08",
    "login": "ann@example.com",
    "cip": "10.0.0.1",
    "url": "www.example.com/a/rather/long/path/that/does/not/fit/into/any/column/of/a/terminal",
    "colour": "red \u001b[31m",
    "dept": "Finance",
}
SHORT = "%s{time} %s{cip} %s{login} %s{eurl} %s{location} %d{totalsize}"

PICTURE = """\
web.json: 4 records, recognised as json; 3 understood

Printed by short
  key    field        records  example
  time   time               3  2023-10-06 09:05:08
  login  login              2  ann@example.com
  cip    cip                3  10.0.0.1
  url    url as eurl        3  www.example.com/a/rather/long/path/that/does/n...

Known, but not printed by short
  key   field  records  example
  dept  dept         3  Finance

Not used: no field is known for it
  key     records  example
  colour        3  red \\x1b[31m

Printed by short, but no record states it (printed instead)
  location (None), totalsize (0)

Not stated by some records
  login (1 of 3)

Not understood
  web.json:4: JSON is truncated

Not good: 1 record of 4 would be rejected.
Try: another --from, if json is not their format; or fix the sender
"""


def lines(*records: object) -> bytes:
    return b"".join(orjson.dumps(record) + b"\n" for record in records)


def without(*keys: str) -> dict[str, str]:
    return {key: value for key, value in WHOLE.items() if key not in keys}


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A feed format of a few fields."""
    path = tmp_path / "short.fof"
    path.write_text(SHORT)
    return path


def test_a_person_sees_each_key_what_is_missing_and_what_to_do_in_80_columns(
    nss: Nss, tmp_path: Path, short: Path
) -> None:
    (tmp_path / "web.json").write_bytes(lines(WHOLE, WHOLE, without("login")) + b'{"time"\n')

    ran = nss("explain", "--to", short.name, "web.json")

    assert (ran.returncode, ran.stderr) == (65, b"")
    assert ran.stdout.decode() == PICTURE
    assert max(map(len, PICTURE.splitlines())) <= 80


@pytest.mark.parametrize("packed", [False, True])
def test_a_sample_that_is_understood_is_good(nss: Nss, short: Path, packed: bool) -> None:  # noqa: FBT001
    data = lines(*[without("colour")] * 3)

    ran = nss("explain", "--to", short, "-", data=gzip.compress(data) if packed else data)

    report, _, verdict = ran.stdout.decode().partition("\nGood: ")
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert "Not used" not in report
    assert verdict.split() == f"all records are understood. Try: nss render --to {short} -".split()


@pytest.mark.parametrize(
    ("left_out", "sentence"),
    [
        ((), "Good: all records are understood; no field is known for 1 key."),
        (("login",), "Not good: no record states a user (login); short prints placeholders"),
        (
            ("login", "url"),
            "Not good: no record states a user (login) or a URL (eurl); short prints placeholders",
        ),
        (
            ("cip", "login", "url"),
            "Not good: no record states an address (cip), a user (login) or a URL (eurl);",
        ),
    ],
)
def test_a_sample_of_which_only_some_is_understood_is_not_good(
    nss: Nss, short: Path, left_out: Sequence[str], sentence: str
) -> None:
    ran = nss("explain", "--to", short, "-", data=lines(*[without(*left_out)] * 3))

    assert ran.returncode == (1 if left_out else 0)
    text = " ".join(ran.stdout.decode().split())
    assert sentence in text
    assert "write a .fof" in text


def test_what_no_key_can_stand_for_has_to_come_from_the_sender(nss: Nss, short: Path) -> None:
    ran = nss("explain", "--to", short, "-", data=lines(without("colour", "login")))

    assert ran.returncode == 1
    assert ran.stdout.endswith(b"\nTry: have the sender add them to its records\n")


def test_a_user_that_is_a_placeholder_in_every_record_is_mentioned(nss: Nss, short: Path) -> None:
    ran = nss("explain", "--to", short, "-", data=lines(*[WHOLE | {"login": "None"}] * 3))

    assert ran.returncode == 0
    assert b"Good, but every record has a placeholder for a user (login).\n" in ran.stdout


def test_what_is_in_no_known_format_shows_its_keys(nss: Nss) -> None:
    ran = nss("explain", "-", data=b'{"who":"ann"}\n{"where":"e.example/"}\n')

    assert ran.returncode == 65
    assert ran.stdout.decode() == (
        "stdin: 2 records in no known format\n"
        "\n"
        "Not used: no field is known for it\n"
        "  key    records  example\n"
        "  who          1  ann\n"
        "  where        1  e.example/\n"
        "\n"
        "Not understood: the records are in no known format.\n"
        "Try: name their format with --from: a preset (nss presets lists them), or a .fof\n"
        "file that describes them (nss presets QRADAR prints one to start from)\n"
    )


def test_json_that_no_feed_can_read_shows_the_reasons(nss: Nss) -> None:
    twice = b'{"time":"2023-10-06 09:05:08","login":"ann","login":"bob"}\n'
    ran = nss("explain", "-", data=twice + b"garbage\n")

    assert ran.returncode == 65
    assert ran.stdout.decode() == (
        "stdin: 2 records, recognised as json; 0 understood\n"
        "\n"
        "Not understood\n"
        '  stdin:1: duplicate key "login"\n'
        "  stdin:2: not JSON: invalid character (byte 0)\n"
        "\n"
        "Not good: 2 records of 2 would be rejected.\n"
        "Try: name their format with --from: a preset (nss presets lists them), or a .fof\n"
        "file that describes them (nss presets QRADAR prints one to start from)\n"
    )


def test_lines_of_a_preset_are_explained_by_their_attributes(nss: Nss) -> None:
    data = RecordGenerator(3).batch(50)
    settings = FeedSettings(presets.load("MCAS"))
    leef = b"".join(line + b"\n" for line in Pipeline(json_names(), settings).run(data).lines)

    ran = nss("explain", "-", "--to", "CSV", "--json", data=leef)

    found = orjson.loads(ran.stdout)
    assert (ran.returncode, found["good"], found["input"]) == (0, True, "MCAS")
    uses = {key["key"]: (key["use"], key["prints"]) for key in found["keys"]}
    assert uses["usrName"] == ("printed", ["login"])
    assert uses["srcPostNAT"] == ("unprinted", [])
    assert uses["devTimeFormat"] == ("constant", [])


def test_programs_get_all_of_it(nss: Nss, tmp_path: Path, short: Path) -> None:
    (tmp_path / "web.json").write_bytes(lines(WHOLE, without("login")) + b"{\n{\n")

    ran = nss("explain", "--to", short, "--json", "web.json")

    assert ran.returncode == 65
    assert orjson.loads(ran.stdout) == {
        "file": "web.json",
        "input": "json",
        "recognised": True,
        "feed": "short",
        "good": False,
        "records": 4,
        "whole_file": True,
        "rendered": 2,
        "filtered": 0,
        "rejected": 2,
        "keys": [
            {"key": key, "fields": fields, "use": use, "prints": prints, "records": records,
             "example": WHOLE[key]}
            for key, fields, use, prints, records in (
                ("time", ["time"], "printed", ["time"], 2),
                ("login", ["login"], "printed", ["login"], 1),
                ("cip", ["cip"], "printed", ["cip"], 2),
                ("url", ["url"], "printed", ["eurl"], 2),
                ("colour", [], "unknown", [], 2),
                ("dept", ["dept"], "unprinted", [], 2),
            )
        ],
        "missing": [],
        "empty": [],
        "lacking": [
            {"field": "login", "records": 1, "printed": "None"},
            {"field": "location", "records": 2, "printed": "None"},
            {"field": "totalsize", "records": 2, "printed": "0"},
        ],
        "rejects": [{"place": "web.json:3", "reason": "JSON is truncated", "records": 2}],
        "verdict": "Not good: 2 records of 4 would be rejected.",
    }  # fmt: skip


CONFIG = """
[service]
control_socket = "off"
[spool]
kind = "memory"
[sources.web]
kind = "stdin"
format_string = '%s{time} %s{login} %s{cip}'
[feeds.siem]
format_string = '%s{login} %s{cip} %s{time}'
filter = { departments = "Sales" }
[feeds.siem.sink]
kind = "file"
path = "lines"
"""


def test_a_feed_of_the_configuration_is_explained_with_its_source_and_filter(
    nss: Nss, tmp_path: Path
) -> None:
    (tmp_path / "nss.toml").write_text(CONFIG)

    ran = nss(
        *("explain", "-", "--feed", "siem", "--config", "nss.toml", "--json"),
        data=b"Fri Oct  6 09:05:08 2023 ann 10.0.0.1\n",
    )

    found = orjson.loads(ran.stdout)
    assert (ran.returncode, found["feed"], found["recognised"]) == (0, "siem", False)
    assert (found["rendered"], found["filtered"]) == (0, 1)
    nowhere = nss("explain", "-", "--feed", "sie", "--config", "nss.toml", data=b"x")
    assert (nowhere.returncode, nowhere.stderr) == (
        64,
        b"nss: feed 'sie' is not in nss.toml\nTry: siem\n",
    )


def test_a_feed_that_takes_records_as_they_come_renders_nothing(nss: Nss, tmp_path: Path) -> None:
    own = "format_string = '%s{login} %s{cip} %s{time}'"
    (tmp_path / "nss.toml").write_text(CONFIG.replace(own, 'format = "unchanged"'))
    ran = nss("explain", "-", "--feed", "siem", "--config", "nss.toml", data=b"x\n")
    assert (ran.returncode, ran.stdout) == (64, b"")
    assert b"takes each record as it came" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nothing.json",), 66, b"nothing.json"),
        (("-", "--to", "NOPE"), 64, b"neither a preset nor a file"),
        (("-", "--from", "NOPE"), 64, b"neither a preset nor a file"),
        (("-", "--to", "%s{nope}"), 64, b"nope"),
        (("-", "--feed", "siem", "--config", "nowhere.toml"), 66, b"nowhere.toml"),
        (("-",), 65, b"no records (stdin)"),
    ],
)
def test_what_can_not_be_explained_ends_with_the_reason(
    nss: Nss, arguments: Sequence[str], code: int, words: bytes
) -> None:
    ran = nss("explain", *arguments, data=b"\n")

    assert (ran.returncode, ran.stdout) == (code, b"")
    assert words in ran.stderr


def test_of_a_large_file_the_first_thousand_records_are_looked_at(nss: Nss, short: Path) -> None:
    data = lines(WHOLE) * 1000 + lines(without("login")) * 5000

    ran = nss("explain", "-", "--to", short, data=data)

    assert ran.stdout.startswith(
        b"stdin: the first 1,000 records, recognised as json; 1,000 understood\n"
    )
    assert b"Not stated by some" not in ran.stdout


def test_what_comes_before_the_damage_of_a_file_is_explained(
    nss: Nss, tmp_path: Path, short: Path
) -> None:
    packed = gzip.compress(b"".join(lines(WHOLE | {"n": n}) for n in range(500)))
    (tmp_path / "web.json.gz").write_bytes(packed[:-100] + b"x" * 100)

    ran = nss("explain", "--to", short, "web.json.gz")

    assert (ran.returncode, ran.stderr.count(b"\n")) == (66, 1)
    assert b"web.json.gz" in ran.stderr
    assert b"recognised as json" in ran.stdout


def test_hostile_keys_and_values_stay_on_their_line_and_in_80_columns(nss: Nss) -> None:
    keys = {f"{'k' * 90}\u001b[2J\u202e\n{number}": "\u001b]0;x\u0007" * 99 for number in range(9)}

    ran = nss("explain", "-", data=lines(WHOLE | keys))

    text = ran.stdout.decode()
    assert text.replace("\n", "").isprintable()
    assert max(map(len, text.splitlines())) <= 80
