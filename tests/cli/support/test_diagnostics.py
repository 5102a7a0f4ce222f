"""`nss collect-diagnostics`: what is in the archive, and that no secret is."""

import base64
import json
import stat
import tarfile

import pytest

from nss.setup.redaction import Redactor, redactor_of
from tests.cli.conftest import Nss
from tests.cli.support.conftest import SECRETS, Site, secrets_in

pytestmark = pytest.mark.long


def unpacked(site: Site, name: str = "out.tar.gz") -> dict[str, bytes]:
    with tarfile.open(site.folder / name, "r:gz") as archive:
        found = {}
        for member in archive.getmembers():
            opened = archive.extractfile(member)
            assert opened is not None
            found[member.name.removeprefix("nss-diagnostics/")] = opened.read()
        return found


@pytest.mark.timeout(300)
def test_everything_is_in_it_but_secrets_and_records(nss: Nss, running: Site) -> None:
    ran = nss("collect-diagnostics", "--output", "out.tar.gz", "--json", "--config", running.config)
    assert ran.returncode == 0, ran.stderr
    assert stat.S_IMODE((running.folder / "out.tar.gz").stat().st_mode) == 0o600
    parts = unpacked(running)
    assert set(json.loads(ran.stdout)["parts"]) == set(parts)
    assert {"config.toml", "status.json", "firewall.json", "sockets.txt", "spool.json"} <= set(
        parts
    )
    assert json.loads(parts["spool.json"])["rows"]["batches"] == 0
    assert b"[feeds.siem.sink]" in parts["config.toml"]
    assert [name for name, data in parts.items() if secrets_in(data)] == []


@pytest.mark.timeout(300)
def test_a_part_that_fails_does_not_stop_the_others(nss: Nss, site: Site) -> None:
    site.config.write_text("nonsense")
    ran = nss("collect-diagnostics", "--output", "out.tar.gz", "--config", site.config)
    assert ran.returncode == 0, ran.stderr
    parts = unpacked(site)
    assert b"spool.json: NOT COLLECTED" in parts["MANIFEST.txt"]
    assert b"not TOML" in parts["check.txt"]


@pytest.mark.parametrize("end", ["unknown = 1\n", "nonsense"])
def test_secrets_are_known_while_the_configuration_is_wrong(site: Site, end: str) -> None:
    site.config.write_text(f"{site.config.read_text()}\n{end}")
    redactor = redactor_of(site.config)
    for text in SECRETS.values():
        for form in (text.encode(), base64.b64encode(text.encode())):
            assert redactor.clean(b"x " + form + b" y") == b"x *** y"


def test_a_file_that_is_there_is_not_replaced(nss: Nss, site: Site) -> None:
    site.config.write_text("nonsense")
    (site.folder / "elsewhere").touch()
    (site.folder / "out.tar.gz").symlink_to(site.folder / "elsewhere")
    ran = nss("collect-diagnostics", "--output", "out.tar.gz", "--config", site.config)
    assert ran.returncode == 70
    assert (site.folder / "elsewhere").read_bytes() == b""


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (b"Authorization: Bearer abcdefghijklmnopqrstu", b"Authorization: Bearer ***"),
        (b"https://h.example/a?sv=1&sig=abc%3D&x=1", b"https://h.example/a?sv=***&sig=***&x=1"),
        (b"http://ana:hush@proxy.example:3128", b"http://***@proxy.example:3128"),
        (b'client_secret = "hush-hush"', b'client_secret = "***"'),
        (b'"api_key": "hush-hush-hush"', b'"api_key": "***"'),
        (b"Cookie: JSESSIONID=ABCDEF; x=1", b"Cookie: JSESSIONID=***; x=1"),
        (b'token_file = "/etc/nss/push.token"', b'token_file = "/etc/nss/push.token"'),
        (b"the token eyJhbGciOi.eyJzdWIi.c2ln ended", b"the token *** ended"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\nx", b"***\nx"),
        (b"hello " + SECRETS["push token"].encode(), b"hello ***"),
        (b"nothing to see", b"nothing to see"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: bytes, clean: bytes) -> None:
    assert Redactor([SECRETS["push token"].encode()]).clean(text) == clean
