"""Everything that promises to be on the disk: written, synced, named, its folder synced, and only
then promised. A process that observes itself can't be fooled by a cache that a test would read.
"""

import asyncio
import sys
from pathlib import Path

import httpx
import pytest

from nss.lab.ports import free_port
from tests.durability.conftest import Observe, Step, environment, steps, without_repeats

SPOOL = """
from nss.batch import Account, Batch
from tests.parts import durable_spool
async def main():
    spool = await durable_spool(folder / "spool.db", min_free_bytes=0)
    cursor = await spool.cursor("out", ["web"])
    said("open")
    for number in range(2):
        await spool.append(Batch("web", b"a\\n", 1, str(number)))
        said("accepted")
    entry = await cursor.next()
    await cursor.advance(entry.sequence, Account(delivered=1))
    await spool.settle()
    said("passed")
    await spool.close()
asyncio.run(main())
"""


def before(found: list[Step], said: str, number: int = 0) -> list[Step]:
    """Return what was done until something was said, since whatever was said before it."""
    ends = [at for at, step in enumerate(found) if step == ("said", said)]
    end = ends[number]
    starts = [at for at, step in enumerate(found[:end]) if step[0] == "said"]
    return found[starts[-1] + 1 if starts else 0 : end]


def test_a_batch_is_on_the_disk_before_it_is_accepted(observe: Observe) -> None:
    found = observe(SPOOL)

    written = [
        ("write", "spool.db-wal"),
        ("sync", "spool.db-wal"),
        ("write", "spool.db.ledger"),  # after the commit: it must not be ahead of the spool
    ]
    assert before(found, "accepted") == written
    assert before(found, "accepted", 1) == written
    assert before(found, "passed") == written


def test_a_new_spool_has_a_name_on_the_disk_before_it_is_open(observe: Observe) -> None:
    opening = before(observe(SPOOL), "open")

    assert ("write", "spool.db-wal") in opening
    assert ("sync", ".") in opening
    assert opening[-2:] == [("sync", "spool.db-wal"), ("write", "spool.db.ledger")]


def test_a_private_file_is_synced_before_it_takes_its_name_and_its_folder_after(
    observe: Observe,
) -> None:
    found = observe(
        """
from nss.files.private import write_private
for data in (b"old", b"new"):
    write_private(folder / "mcas.json", data)
    said("written")
"""
    )

    assert found == 2 * [
        ("write", "unnamed"),
        ("sync", "unnamed"),
        ("link", "unnamed", ".mcas.json.new"),
        ("rename", ".mcas.json.new", "mcas.json"),
        ("sync", "."),
        ("said", "written"),
    ]


def test_credentials_are_on_the_disk_once_saved_and_off_it_once_cleared(observe: Observe) -> None:
    found = observe(
        """
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.secret import Secret
store = CredentialsStore(folder, {})
store.save(McasCredentials(
    method="secret", client_id="11111111-2222-3333-4444-555555555555",
    client_secret=Secret("Abc8Q~aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567"),
    authentication_url="https://login.microsoftonline.com/"
    "99999999-8888-7777-6666-abcdefabcdef/oauth2/v2.0/token",
    api_url="https://contoso.us2.portal.cloudappsecurity.com"))
said("saved")
store.clear()
said("cleared")
"""
    )

    assert found == [
        ("write", "unnamed"),
        ("sync", "unnamed"),
        ("link", "unnamed", ".mcas.json.new"),
        ("rename", ".mcas.json.new", "mcas.json"),
        ("sync", "."),
        ("said", "saved"),
        ("unlink", "mcas.json"),
        ("sync", "."),
        ("said", "cleared"),
    ]


def test_an_upload_is_in_the_journal_on_the_disk_before_it_is_finalized(observe: Observe) -> None:
    found = observe(
        """
from nss.secret import Secret
from nss.https.limiter import Limiter
from formats.lines import Lines
from nss.sinks import Delivered
from tests.parts import cloud_discovery_sink
class Session:
    uses_token = False
    limiter = Limiter(1000)
    async def api(self): return self
    def stamp(self): return 1
    async def initiate(self, filename, source_type): return Secret("https://storage.example/1")
    async def put(self, url, file, size_bytes): said("put")
    async def finalize(self, url, data_source): said("finalized")
async def main():
    sink = cloud_discovery_sink(Session(), folder, gzip=False)
    await sink.open()
    sink.begin(1, 1.0)
    await sink.send(Lines.of([b"line"]))
    assert await sink.flush() == Delivered()
    said("delivered")
    await sink.close()
asyncio.run(main())
"""
    )

    def saved(name: str) -> list[Step]:
        return [
            ("write", "uploads/unnamed"),
            ("sync", "uploads/unnamed"),
            ("link", "uploads/unnamed", f"uploads/.{name}.new"),
            ("rename", f"uploads/.{name}.new", f"uploads/{name}"),
            ("sync", "uploads"),
        ]

    journal, names = saved("mcas.json"), saved("mcas.files.json")
    assert before(found, "put")[-len(names) :] == names
    assert before(found, "finalized") == journal
    assert before(found, "delivered") == [*journal, *names]
    assert found.index(("mkdir", "uploads")) < found.index(("sync", ".")) < found.index(journal[0])


FILE = """
from formats.lines import Lines
from nss.sinks import Delivered
from tests.parts import file_sink
async def main():
    sink = file_sink(folder / "web.log", sync={sync}, rotate_bytes=12)
    await sink.open()
    for _ in range(3):
        assert await sink.send(Lines.of([b"four"])) == Delivered()
        said("delivered")
    await sink.close()
asyncio.run(main())
"""


def test_lines_in_a_synced_file_are_on_the_disk_before_they_are_delivered(observe: Observe) -> None:
    found = observe(FILE.format(sync=True))

    synced = [("write", "web.log"), ("sync", "web.log")]
    assert before(found, "delivered") == [*synced, ("sync", ".")]
    assert before(found, "delivered", 1) == synced
    assert before(found, "delivered", 2) == [
        ("rename", "web.log", "web.log.1"),
        *synced,
        ("sync", "."),
    ]


def test_a_file_that_is_not_to_be_synced_is_not(observe: Observe) -> None:
    assert "sync" not in {call for call, *_ in observe(FILE.format(sync=False))}


SERVICE = """
[service]
control_socket = "off"
log_format = "json"
[spool]
path = "spool.db"
min_free_bytes = 0
[sources.push]
kind = "http"
listen = "127.0.0.1:{port}"
format = "json"
[feeds.out]
format = "QRADAR"
[feeds.out.sink]
kind = "syslog_udp"
destinations = ["127.0.0.1:9"]
"""


async def test_a_pushed_body_is_on_the_disk_before_it_is_answered(
    observer: Path, tmp_path: Path
) -> None:
    port = free_port()
    config = tmp_path / "nss.toml"
    config.write_text(SERVICE.format(port=port))
    log = tmp_path / "observed"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "nss", str(config)),
        env=environment(observer, log),
        cwd=tmp_path,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        while b"service_started" not in (line := await process.stderr.readline()):
            assert line, "it does not start"
        for number in range(3):
            async with httpx.AsyncClient() as client:
                answer = await client.post(f"http://127.0.0.1:{port}/", content=b'{"login":"a"}\n')
            assert answer.status_code == 200, number
    finally:
        process.kill()
        await process.communicate()

    found = without_repeats(steps(log, tmp_path))
    answers = [at for at, step in enumerate(found) if step == ("send", "HTTP/1.1 200 OK")]
    assert len(answers) == 3
    for start, end in zip([0, *answers], answers, strict=False):
        spooled = [step for step in found[start:end] if step[-1] == "spool.db-wal"]
        assert spooled[-2:] == [("write", "spool.db-wal"), ("sync", "spool.db-wal")]


@pytest.mark.parametrize("call", ["fsync", "fdatasync"])
def test_the_observer_sees_a_sync_that_python_makes_itself(observe: Observe, call: str) -> None:
    script = f'os.{call}(os.open(folder / "it", os.O_CREAT)); said("done")'
    assert observe(script) == [("sync", "it"), ("said", "done")]


def test_the_observer_sees_a_sync_that_is_missing(observe: Observe) -> None:
    script = SPOOL.replace("async def main():", "async def main():\n    loosen()").replace(
        "async def", LOOSEN + "async def", 1
    )
    found = before(observe(script), "accepted")
    assert found == [("write", "spool.db-wal"), ("write", "spool.db.ledger")]


LOOSEN = """
from nss.spool.durable import schema
def loosen():
    tight = schema.connect
    def connect(path):
        connection = tight(path)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection
    schema.connect = connect
"""


def test_the_folder_of_a_journal_is_made_once(observe: Observe) -> None:
    found = observe(
        """
from nss.mcas.access import uploads_folder
uploads_folder(folder); said("made"); uploads_folder(folder); said("found")
"""
    )

    assert found == [("mkdir", "uploads"), ("sync", "."), ("said", "made"), ("said", "found")]
