"""Each setting is explained, with its value and where that comes from; the file is shown."""

from pathlib import Path

import pytest

from nss.config.load import load
from nss.config.model import SECTION_TYPES
from nss.config.setting import declared
from nss.errors import ServiceError
from tests.admin.portal.configuration.parts import TEXT, prepared, room, shown
from tests.admin.portal.gallery import HOSTILE
from tests.setup.test_editing import SECRET

pytestmark = pytest.mark.long

PAGES = ["/configuration", "/configuration/file", "/configuration/versions"]


def lines_of(page: str) -> dict[str, str]:
    """Return what is said of each setting, by key path."""
    found = {}
    for card in page.split('<section class="card">')[1:]:
        section = card.partition("<h2><code>[")[2].partition("]</code>")[0]
        for each in card.split('<div class="setting">')[1:]:
            name = each.partition("<dt><code>")[2].partition("</code>")[0]
            text = each.partition("</dt>")[2].partition("</div>")[0]
            found[f"{section}.{name}"] = shown(f"<main {text}</main>")
    return found


async def test_each_setting_has_its_value_its_place_and_what_it_is_for(tmp_path: Path) -> None:
    async with room(tmp_path) as found:
        settings = lines_of((await found.get("/configuration")).text)
    for where, section in load(found.path).sections():
        kind = next(each for each in SECTION_TYPES if isinstance(section, each))
        for entry in declared(kind):
            text = settings[f"{where}.{entry.key}"]
            assert entry.description.replace("`", "")[:60] in text
            assert entry.kind.expected[:40] in text
    assert '"MCAS" set in line 15' in settings["feeds.out.format"]
    assert f'"{tmp_path}/out.log" set in line 20' in settings["feeds.out.sink.path"]
    assert "10.0 default" in settings["service.drain_secs"]
    assert "a change needs a restart" in settings["portal.listen"]
    assert "a change needs a restart" not in settings["feeds.out.format"]
    assert '"Blocked" set in line 16' in settings["feeds.out.filter.action"]
    assert '["a*"] set in line 16' in settings["feeds.out.filter.not_users"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("idle_minutes", {"portal.idle_minutes"}),
        ("feeds.out zone", {"feeds.out.zone"}),
        ("FEEDS.OUT.FORMAT  string", {"feeds.out.format_string"}),
        ("out.log", {"feeds.out.sink.path"}),
        ("no-such-thing", set()),
    ],
)
async def test_a_search_finds_parts_of_keys_values_and_explanations(
    tmp_path: Path, query: str, names: set[str]
) -> None:
    async with room(tmp_path) as found:
        page = await found.get("/configuration", q=query)
        part = await found.get("/configuration/found", q=query)
    assert names <= set(lines_of(page.text))
    assert len(lines_of(page.text)) <= 3
    assert lines_of(page.text) == lines_of(part.text)
    assert "<html" not in part.text
    assert ("Nothing is called that" in part.text) == (not names)


async def test_a_hostile_search_is_text(tmp_path: Path) -> None:
    async with room(tmp_path) as found:
        page = await found.get("/configuration", q=HOSTILE * 50)
    assert page.status_code in {200, 414}
    assert "<script>alert" not in page.text


async def test_the_file_is_shown_line_by_line(tmp_path: Path) -> None:
    async with room(tmp_path) as found:
        page = (await found.get("/configuration/file")).text
    assert '<span id="line-15" data-line="15">format = &#34;MCAS&#34;\n</span>' in page
    assert page.count("data-line=") == TEXT.count("\n")


@pytest.mark.parametrize("path", [*PAGES, "/configuration/edit"])
async def test_secrets_are_on_no_page_and_hostile_text_is_text(tmp_path: Path, path: str) -> None:
    (tmp_path / "token").write_text(SECRET)
    text = f'# {SECRET} {HOSTILE} \u202e\u0085\n# password = "other{SECRET}"\n{TEXT}'
    prepared(tmp_path).write_text(f'{text}[mcas]\ntoken_file = "token"\n')
    async with room(tmp_path) as found:
        await found.put(f'{(text)}[mcas]\ntoken_file = "token"\ntimeout_secs = 5\n')
        page = (await found.get(path)).text
    assert SECRET not in page
    assert "<script>alert" not in page
    assert "<img" not in page
    if path == "/configuration":
        assert f"{tmp_path}/token" in page  # where it is may be seen
    if path != "/configuration/edit":  # which is a field: it has what will be written
        assert "\u202e" not in page


async def test_a_file_that_was_changed_or_is_wrong_is_said_to_be(tmp_path: Path) -> None:
    async with room(tmp_path) as found:
        assert "something else" not in (await found.get("/configuration")).text
        found.write(TEXT.replace("MCAS", "CSV"))
        changed = (await found.get("/configuration")).text
        found.write(TEXT.replace("MCAS", "NOPE"))
        wrong = (await found.get("/configuration")).text
        found.write("[[[\n")
        broken = await found.get("/configuration")
        found.path.write_bytes(b"\xff")
        binary = await found.get("/configuration")
        file = await found.get("/configuration/file")
    assert "The file says something else than what is in force" in changed
    assert '"MCAS" set' in lines_of(changed)["feeds.out.format"]
    assert "The file has problems" in wrong
    assert broken.status_code == binary.status_code == file.status_code == 200
    assert "is not UTF-8" in binary.text
    assert "is not UTF-8" in file.text


async def test_a_reload_takes_over_what_is_in_the_file(tmp_path: Path) -> None:
    async with room(tmp_path) as found:
        found.write(TEXT.replace("MCAS", "CSV"))
        answer = await found.post("/configuration/reload")
        page = shown((await found.get("/configuration")).text)
        found.operations.refusal = ServiceError("busy")
        failed = await found.post("/configuration/reload")
    assert (answer.status_code, answer.headers["location"]) == (303, "/configuration")
    assert "Reloaded. Started: feed mcas, source web. Ended: feed old." in page
    assert "something else" not in page
    assert failed.status_code == 409
    entries = [(e["who"], e["action"], e["outcome"], e["reason"]) for e in found.audit()[-2:]]
    assert entries == [
        ("alice (portal)", "reload", "ok", ""),
        ("alice (portal)", "reload", "failed", "busy"),
    ]


@pytest.mark.parametrize("path", PAGES)
async def test_viewers_see_everything_and_change_nothing(tmp_path: Path, path: str) -> None:
    async with room(tmp_path, "victor") as found:
        page = await found.get(path)
        changes = [
            await found.get("/configuration/edit"),
            await found.post("/configuration/edit", text="", do="put"),
            await found.post("/configuration/versions/1", digest=""),
            await found.post("/configuration/reload"),
        ]
    assert page.status_code == 200
    assert "/configuration/edit" not in page.text
    assert '<form method="post" action="/configuration' not in page.text
    assert [answer.status_code for answer in changes] == [403] * 4
    assert found.data == TEXT.encode()
