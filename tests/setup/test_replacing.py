"""Putting a configuration in force: taken over or put back, kept, undone, and explained."""

import asyncio
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from nss.admin.operations import Reloaded
from nss.config.load import load
from nss.errors import ConfigError, NssError, ServiceError
from nss.setup.editing import Examined, examined, examined_version, read_document
from nss.setup.replacing import UNDO, Refused, Replacing, unfinished
from nss.setup.versions import FOLDER_NAME, KEPT, Versions, digest_of
from nss.telemetry.audit import acting_as
from tests.setup.test_editing import SECRET, TEXT

NEW = TEXT.replace('"MCAS"', '"QRADAR"')
NOW = 1_790_000_000.0


class Service:
    """Takes over what is in the file, or refuses."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.in_force = path.read_bytes()
        self.error: Exception | None = None
        self.during: Callable[[], object] = lambda: None

    @property
    def file(self) -> bytes:
        return self.path.read_bytes()

    def write(self, data: bytes) -> None:
        self.path.write_bytes(data)

    async def reload(self) -> Reloaded:
        seen = self.file
        self.during()
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.in_force = seen
        return Reloaded(["feed out"], ["feed out"])


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "nss.toml").write_text(TEXT)
    (folder / "nss.toml").chmod(0o640)
    return folder / "nss.toml"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def service(path: Path) -> Service:
    return Service(path)


@pytest.fixture
def replacing(path: Path, state: Path) -> Replacing:
    return Replacing(path, state, now=lambda: NOW)


def look(path: Path, text: str) -> Examined:
    return examined(read_document(path), text)


async def put(replacing: Replacing, service: Service, text: str) -> Reloaded:
    found = look(service.path, text)
    with acting_as("alice (portal)"):
        return await replacing.put_in_force(found, found.document.digest, service.reload)


def audit(state: Path) -> list[dict[str, object]]:
    try:
        lines = (state / "audit.log").read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [orjson.loads(line) for line in lines]


def mode_of(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_mode, status.st_uid, status.st_gid


async def test_a_change_is_written_taken_over_kept_and_in_the_audit_log(
    replacing: Replacing, service: Service, path: Path, state: Path
) -> None:
    before = mode_of(path)
    assert (await put(replacing, service, NEW)).started == ["feed out"]

    assert service.file == NEW.encode() == service.in_force
    assert mode_of(path) == before
    (version,) = replacing.versions.all()
    assert (version.data.decode(), version.by, version.at) == (TEXT, "alice (portal)", NOW)
    assert version.state == "replaced"
    (entry,) = audit(state)
    assert (entry["who"], entry["action"], entry["outcome"]) == (
        "alice (portal)",
        "configuration change",
        "put in force",
    )
    assert (entry["digest"], entry["changed_lines"]) == (digest_of(NEW.encode()), 2)
    assert unfinished(path, replacing.versions) is None


async def test_kept_versions_are_private(
    replacing: Replacing, service: Service, state: Path
) -> None:
    await put(replacing, service, NEW)
    look_at_versions(state / FOLDER_NAME)


def look_at_versions(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()] == [0o600]
    assert (folder / "1.toml").read_text().partition("\n")[2] == TEXT
    assert load(folder / "1.toml").feeds[0].name == "out"  # it could be put back by hand


@pytest.mark.parametrize(
    "error", [ServiceError("the spool is stuck", tip="wait"), ConfigError("x")]
)
async def test_what_is_refused_is_put_back_byte_for_byte(
    replacing: Replacing, service: Service, path: Path, state: Path, error: NssError
) -> None:
    service.write(TEXT.replace("\n", "\r\n").encode())
    before, mode = service.file, mode_of(path)
    service.error = error
    with pytest.raises(Refused, match=f"refused it: {error.args[0]}; the old") as caught:
        await put(replacing, service, NEW)

    assert caught.value.tip == error.tip
    assert service.file == before
    assert mode_of(path) == mode
    assert replacing.versions.all() == []
    (entry,) = audit(state)
    assert (entry["outcome"], entry["reason"]) == ("refused", error.args[0])


async def test_a_secret_in_the_reason_of_a_refusal_is_not_told(
    replacing: Replacing, service: Service, state: Path
) -> None:
    service.error = ServiceError(f'feed out: password = "{SECRET}" is wrong')
    with pytest.raises(Refused) as caught:
        await put(replacing, service, NEW)
    assert SECRET not in str(caught.value)
    assert SECRET not in str(audit(state))


async def test_a_file_that_somebody_else_changed_is_left_alone(
    replacing: Replacing, service: Service, path: Path, state: Path
) -> None:
    found = look(path, NEW)
    theirs = TEXT.replace("out.log", "theirs.log").encode()
    service.write(theirs)
    with pytest.raises(ConfigError, match="somebody else has changed the file"):
        await replacing.put_in_force(found, found.document.digest, service.reload)
    found = look(path, NEW)
    with pytest.raises(ConfigError, match="somebody else has changed the file"):
        await replacing.put_in_force(found, digest_of(TEXT.encode()), service.reload)
    assert service.file == theirs
    assert replacing.versions.all() == []
    assert [entry["outcome"] for entry in audit(state)] == ["failed", "failed"]


async def test_somebody_else_s_change_during_a_refused_reload_is_left_alone(
    replacing: Replacing, service: Service
) -> None:
    service.error = ServiceError("no")
    service.during = lambda: service.write(b"theirs")
    with pytest.raises(Refused, match="changed by somebody else meanwhile"):
        await put(replacing, service, NEW)
    assert service.file == b"theirs"


async def test_somebody_else_s_change_during_a_reload_is_not_called_ours(
    replacing: Replacing, service: Service
) -> None:
    service.during = lambda: service.write(b"theirs")
    with pytest.raises(Refused, match="took over what somebody else wrote"):
        await put(replacing, service, NEW)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TEXT.replace("MCAS", "NOPE"), "it has a problem"),
        (TEXT.replace("MCAS", "NOPE") + "x = 1\n", "it has 2 problems"),
        (TEXT, "it is what the file has already"),
    ],
)
async def test_what_is_wrong_or_the_same_is_not_written(
    replacing: Replacing, service: Service, text: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        await put(replacing, service, text)
    assert service.file == TEXT.encode()
    assert replacing.versions.all() == []


async def test_what_needs_a_restart_is_not_written(
    replacing: Replacing, service: Service, path: Path
) -> None:
    text = f"{TEXT}[portal]\nidle_minutes = 5\n"
    found = examined(read_document(path), text, load(path))
    with pytest.raises(ConfigError, match=r"a reload can't change portal\.idle_minutes"):
        await replacing.put_in_force(found, found.document.digest, service.reload)
    assert service.file == TEXT.encode()


async def test_the_last_five_are_kept_and_each_can_come_back(
    replacing: Replacing, service: Service, path: Path, state: Path
) -> None:
    for number in range(7):
        await put(replacing, service, TEXT.replace("out.log", f"out{number}.log"))
    kept = replacing.versions.all()
    assert [version.number for version in kept] == [7, 6, 5, 4, 3]
    assert len(os.listdir(state / FOLDER_NAME)) == KEPT  # noqa: PTH208 - in an async test

    found = examined_version(read_document(path), kept[4].data)
    await replacing.put_in_force(found, found.document.digest, service.reload, action=UNDO)
    assert b"out1.log" in service.file == service.in_force
    assert [version.number for version in replacing.versions.all()] == [8, 7, 6, 5, 4]
    assert audit(state)[-1]["action"] == "configuration undo"


async def test_changes_at_the_same_time_come_one_after_the_other(
    replacing: Replacing, service: Service
) -> None:
    texts = [TEXT.replace("out.log", f"{number}.log") for number in range(4)]
    came = await asyncio.gather(
        *(put(replacing, service, text) for text in texts), return_exceptions=True
    )
    assert sum(isinstance(each, Reloaded) for each in came) == 1
    assert sum(isinstance(each, ConfigError) for each in came) == 3
    assert service.file == service.in_force
    assert len(replacing.versions.all()) == 1


async def test_a_browser_that_leaves_does_not_cut_a_change_short(
    replacing: Replacing, service: Service, path: Path
) -> None:
    entered, goes_on = asyncio.Event(), asyncio.Event()

    async def reload() -> Reloaded:
        entered.set()
        await goes_on.wait()
        return await service.reload()

    found = look(path, NEW)
    asking = asyncio.create_task(replacing.put_in_force(found, found.document.digest, reload))
    await entered.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    goes_on.set()
    async with asyncio.timeout(40):
        await asyncio.gather(*replacing._tasks)
    assert service.in_force == NEW.encode()


@pytest.mark.parametrize(
    ("point", "content", "said"),
    [
        ("kept", TEXT, "the file is as it was before"),
        ("written", NEW, "its text is in the file, and a service that starts takes it"),
        ("taken over", NEW, "its text is in the file"),
    ],
)
async def test_a_process_that_dies_leaves_what_can_be_explained(
    service: Service, path: Path, state: Path, point: str, content: str, said: str
) -> None:
    def die(at: str) -> None:
        if at == point:
            raise Killed

    replacing = Replacing(path, state, now=lambda: NOW, at=die)
    with pytest.raises(Killed):
        await put(replacing, service, NEW)

    assert service.file == content.encode()
    (version,) = Versions(state).all()
    assert version.data == TEXT.encode()
    note = unfinished(path, Versions(state))
    assert note is not None
    assert note.startswith("The last change, by alice (portal), was cut short: ")
    assert said in note
    service.write(b"else")
    assert "was changed since" in str(unfinished(path, Versions(state)))


async def test_after_a_crash_while_it_is_put_back_the_old_file_is_there(
    service: Service, path: Path, state: Path
) -> None:
    def die(at: str) -> None:
        if at == "taken back":
            raise Killed

    service.error = ServiceError("no")
    before = time.time()
    with pytest.raises(Killed):
        await put(Replacing(path, state, at=die), service, NEW)
    assert service.file == TEXT.encode()
    assert before <= Versions(state).all()[0].at <= time.time()
    assert "as it was before" in str(unfinished(path, Versions(state)))


async def test_an_error_that_nobody_planned_leaves_the_change_unfinished(
    replacing: Replacing, service: Service, path: Path, state: Path
) -> None:
    service.error = RuntimeError(SECRET)
    with pytest.raises(RuntimeError):
        await put(replacing, service, NEW)
    assert unfinished(path, replacing.versions) is not None
    (entry,) = audit(state)
    assert entry["outcome"] == "failed"
    assert SECRET not in str(entry)


async def test_without_a_place_for_the_version_before_nothing_is_changed(
    service: Service, path: Path, tmp_path: Path
) -> None:
    replacing = Replacing(path, tmp_path / "missing")
    with pytest.raises(ConfigError, match="because the version before can't be kept"):
        await put(replacing, service, NEW)
    assert service.file == TEXT.encode()


def test_damaged_versions_are_left_out(replacing: Replacing, state: Path) -> None:
    folder = state / FOLDER_NAME
    folder.mkdir()
    head = b'# nss: {"at": 1.5, "by": "a", "state": "replaced", "digest": ""}\n'
    for name, data in {
        "1.toml": b"",
        "2.toml": b"# nss: {}\nx",
        "3.toml": b"\xff\n",
        "x.toml": head,
        "4.toml": head + b"text",
        "05.toml": head,
    }.items():
        (folder / name).write_bytes(data)
    assert [version.number for version in replacing.versions.all()] == [4]
    for number in (0, -1, 1, 99, 10**30):
        with pytest.raises(ConfigError, match=f"version {number} is not kept"):
            replacing.versions.find(number)
