"""A file as the target: its formats, its replacement, and the command that makes it known."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from nss.config.sync import SyncConfig
from nss.sync import TargetFailed, TargetUnfit
from nss.sync.state import SyncStore
from nss.sync.targets.file import FileTarget
from nss.sync.targets.formats import render
from tests.sync.conftest import files
from tests.sync.organisation import Killed

URLS = (
    ".example.com",
    "192.0.2.1",
    "a.b.c.d.e.f.example.com",
    "exact.example",
    "host.example:8080",
    "site.example/path",
)
NO_PATH = ["host.example:8080", "site.example/path"]


def rendered(format_: Any) -> tuple[str, list[str]]:  # noqa: ANN401 - one of the words
    found = render(URLS, format_, 7)
    return found.data.decode(), [aside.entry for aside in found.set_aside]


def test_plain_is_a_url_a_line() -> None:
    assert rendered("plain") == ("".join(f"{url}\n" for url in URLS), [])


def test_squid_gets_domains_none_of_which_is_below_another() -> None:
    text, aside = rendered("squid")
    assert text.splitlines()[1:] == [".example.com", "192.0.2.1", "exact.example"]
    assert text.startswith("# ")
    assert aside == NO_PATH


def test_a_hosts_file_has_names() -> None:
    text, aside = rendered("hosts")
    assert text.splitlines()[1:] == ["0.0.0.0 exact.example", "0.0.0.0 example.com"]
    assert aside == [*NO_PATH, "192.0.2.1"]


def test_a_response_policy_zone_has_names_and_wildcards() -> None:
    text, aside = rendered("rpz")
    assert text.splitlines()[1:] == [
        "$TTL 300",
        "@ IN SOA localhost. nobody.localhost. 7 3600 600 604800 300",
        "@ IN NS localhost.",
        "example.com IN CNAME .",
        "*.example.com IN CNAME .",
        "exact.example IN CNAME .",
    ]
    assert aside == [*NO_PATH, "192.0.2.1"]


@pytest.mark.parametrize(
    "hostile",
    [
        "1.0.0.0.128.rpz-ip",  # blocks every answer with an address from 128.0.0.0 on
        "32.5.2.0.192.rpz-client-ip",
        ".".join(["a" * 63] * 3 + ["example"]),  # with the zone's own name too long for DNS
    ],
)
def test_an_entry_can_neither_block_more_than_its_name_nor_spoil_the_zone(hostile: str) -> None:
    found = render((".good.example", hostile), "rpz", 7)
    assert [aside.entry for aside in found.set_aside] == [hostile]
    assert found.data.decode().splitlines()[4:] == [
        "good.example IN CNAME .",
        "*.good.example IN CNAME .",
    ]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("format_", ["squid", "hosts", "rpz"])
def test_a_list_of_a_hundred_thousand_names_comes_to_an_end(format_: Any) -> None:  # noqa: ANN401 - one of the words
    urls = [f".app{number}.example" for number in range(100_000)]
    assert render(urls, format_, 7).set_aside == ()


def test_json_is_sorted_by_how_it_is_compared() -> None:
    text, aside = rendered("json")
    assert json.loads(text) == {
        "hosts": ["192.0.2.1", "a.b.c.d.e.f.example.com", "exact.example"],
        "suffixes": [".example.com"],
        "urls": NO_PATH,
    }
    assert aside == []


@pytest.fixture
def store(tmp_path: Path) -> SyncStore:
    found = SyncStore(tmp_path)
    found.prepare()
    return found


def target(folder: Path, store: SyncStore, **settings: Any) -> FileTarget:  # noqa: ANN401 - the section's
    settings = {"file_path": folder / "list", **settings}
    return FileTarget(SyncConfig(**settings), folder, store)


async def run(made: FileTarget, *urls: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    plan = await made.plan(urls, 0)
    if plan.changes_something:
        await made.carry_out(plan, urls, 0)
    assert not (await made.plan(urls, 0)).changes_something
    return plan.add, plan.remove


async def test_the_file_is_what_the_list_says_and_others_may_read_it(
    tmp_path: Path, store: SyncStore
) -> None:
    made = target(tmp_path, store)
    assert await run(made, "a.example", "b.example") == (("a.example", "b.example"), ())
    assert await run(made, "b.example", "c.example") == (("c.example",), ("a.example",))
    assert made.path.read_text() == "b.example\nc.example\n"
    assert made.path.stat().st_mode & 0o777 == 0o644
    assert files(tmp_path) == [made.path, store.folder]


async def test_what_a_format_cannot_express_counts_as_set_aside_only(
    tmp_path: Path, store: SyncStore
) -> None:
    made = target(tmp_path, store, file_format="squid")
    urls = ("a.example", "b.example/path")
    plan = await made.plan(urls, 0)
    assert (plan.add, [aside.entry for aside in plan.set_aside]) == (urls[:1], [urls[1]])
    await run(made, *urls)
    assert (await made.plan(urls, 0)).add == ()


async def test_what_a_shorter_list_would_free_is_known_without_an_earlier_result(
    tmp_path: Path, store: SyncStore
) -> None:
    await run(target(tmp_path, store), "a.example", "b.example", "c.example")
    assert (await target(tmp_path, store).plan(["a.example"], 0)).present == 3


async def test_a_file_that_somebody_changed_or_removed_is_written_again(
    tmp_path: Path, store: SyncStore
) -> None:
    made = target(tmp_path, store)
    await run(made, "a.example")
    made.path.write_text("other")
    assert await run(made, "a.example") == ((), ())
    assert made.path.read_text() == "a.example\n"
    made.path.unlink()
    await run(made, "a.example")
    assert made.path.read_text() == "a.example\n"


async def test_another_file_is_never_overwritten(tmp_path: Path, store: SyncStore) -> None:
    made = target(tmp_path, store)
    made.path.write_text("127.0.0.1 localhost\n")
    with pytest.raises(TargetUnfit, match="did not write"):
        await made.plan(["a.example"], 0)
    assert made.path.read_text() == "127.0.0.1 localhost\n"


async def test_a_file_that_could_not_be_written_is_not_ours_afterwards(
    tmp_path: Path, store: SyncStore
) -> None:
    made = target(tmp_path, store, file_path=tmp_path / "later" / "list")
    plan = await made.plan(["a.example"], 0)
    with pytest.raises(TargetFailed, match="can't be written"):
        await made.carry_out(plan, ["a.example"], 0)
    (tmp_path / "later").mkdir()
    made.path.write_text("somebody's\n")
    with pytest.raises(TargetUnfit):
        await made.plan(["a.example"], 0)


async def test_a_zone_gets_a_higher_serial_only_when_it_changes(
    tmp_path: Path, store: SyncStore
) -> None:
    made = target(tmp_path, store, file_format="rpz")
    await run(made, "a.example")
    first = store.file().serial
    await run(made, "a.example")
    assert store.file().serial == first
    await run(made, "b.example")
    assert store.file().serial > first
    assert f" {store.file().serial} " in made.path.read_text()


def script(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "reload"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return (str(path), "an argument; with $signs")


async def test_the_command_runs_after_each_change_without_a_shell_and_our_environment(
    tmp_path: Path, store: SyncStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NSS_ZIA_PASSWORD", "hunter2")
    seen, environ = tmp_path / "seen", tmp_path / "environ"
    text = f'cat {tmp_path}/list >> {seen}; echo "$1" >> {seen}; env >> {environ}'
    command = script(tmp_path, text)
    made = target(tmp_path, store, reload_command=command)
    await run(made, "a.example")
    await run(made, "a.example")
    assert seen.read_text() == "a.example\nan argument; with $signs\n"
    assert "hunter2" not in environ.read_text()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo first; echo 'squid: no such file' >&2; exit 3", "exit code 3: squid: no such file"),
        ("kill -9 $$", "signal 9"),
        ("exit 1", r"exit code 1 \("),
        ("sleep 60", "had not ended after 1 s"),
    ],
)
async def test_a_command_that_fails_is_shown_and_repeated_by_the_next_run(
    tmp_path: Path, store: SyncStore, text: str, reason: str
) -> None:
    made = target(tmp_path, store, reload_command=script(tmp_path, text), reload_secs=1)
    plan = await made.plan(["a.example"], 0)
    with pytest.raises(TargetFailed, match=reason):
        await made.carry_out(plan, ["a.example"], 0)
    assert made.path.read_text() == "a.example\n"
    script(tmp_path, f"touch {tmp_path}/reloaded")
    assert await run(made, "a.example") == ((), ())
    assert (tmp_path / "reloaded").exists()


async def test_what_a_command_prints_can_not_steer_a_terminal(
    tmp_path: Path, store: SyncStore
) -> None:
    command = script(tmp_path, r"printf 'bad \033[2J\007 end\n'; exit 3")
    made = target(tmp_path, store, reload_command=command)
    plan = await made.plan(["a.example"], 0)
    with pytest.raises(TargetFailed) as failed:
        await made.carry_out(plan, ["a.example"], 0)
    assert "exit code 3: bad ?[2J? end" in str(failed.value)


async def test_a_command_that_is_missing_is_shown(tmp_path: Path, store: SyncStore) -> None:
    made = target(tmp_path, store, reload_command=("/no/such/program",))
    plan = await made.plan(["a.example"], 0)
    with pytest.raises(TargetFailed, match="no such file"):
        await made.carry_out(plan, ["a.example"], 0)


async def test_what_a_command_that_hangs_has_started_ends_with_it(
    tmp_path: Path, store: SyncStore
) -> None:
    text = f"sleep 300 & echo $! > {tmp_path}/child; wait"
    made = target(tmp_path, store, reload_command=script(tmp_path, text), reload_secs=1)
    plan = await made.plan(["a.example"], 0)
    with pytest.raises(TargetFailed):
        await made.carry_out(plan, ["a.example"], 0)
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        if _has_ended(child):
            break
        await asyncio.sleep(0.05)
    assert _has_ended(child)


def _has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("point", ["claimed", "written", "owned", "activated"])
async def test_a_kill_at_any_point_is_repaired(
    tmp_path: Path, store: SyncStore, point: str
) -> None:
    command = script(tmp_path, f"cat {tmp_path}/list > {tmp_path}/loaded")
    settings = SyncConfig(file_path=tmp_path / "list", reload_command=command)

    def die(passed: str) -> None:
        if passed == point:
            raise Killed

    first = target(tmp_path, store, reload_command=command)
    await run(first, "a.example")
    dying = FileTarget(settings, tmp_path, store, at=die)
    plan = await dying.plan(["b.example"], 0)
    with pytest.raises(Killed):
        await dying.carry_out(plan, ["b.example"], 0)
    assert first.path.read_text() in {"a.example\n", "b.example\n"}
    await run(first, "b.example")
    assert (tmp_path / "loaded").read_text() == "b.example\n"


def test_the_list_is_in_the_state_directory_unless_it_is_named(
    tmp_path: Path, store: SyncStore
) -> None:
    made = FileTarget(SyncConfig(), tmp_path, store)
    assert made.path == tmp_path / "unsanctioned.txt"
    assert made.destination == f"plain file {made.path}"
