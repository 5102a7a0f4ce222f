"""The editor: problems with their lines, the difference first, in force or refused, and undone."""

from pathlib import Path

import pytest

from nss.errors import ServiceError
from tests.admin.portal.configuration.parts import TEXT, form_of, prepared, room, shown
from tests.admin.portal.gallery import HOSTILE
from tests.setup.test_editing import SECRET

pytestmark = pytest.mark.long

NEW = TEXT.replace('"MCAS"', '"QRADAR"')


async def test_a_check_shows_all_problems_each_at_its_line_and_keeps_the_text(
    tmp_path: Path,
) -> None:
    text = TEXT.replace('"MCAS"', '"NOPE"\nzone = "Mars"').replace('"stdin"', '"nothing"')
    async with room(tmp_path) as found:
        answer = await found.edit(text)
    page = shown(answer.text)
    assert answer.status_code == 200
    assert "3 problems" in page
    for line, key in ((12, "sources.web.kind"), (15, "feeds.out.format"), (16, "feeds.out.zone")):
        assert f'<a href="#near-{line}" data-go-to-line="{line}">' in answer.text
        assert f'id="near-{line}" data-line="{line}" class="wrong"' in answer.text
        assert f"Line {line} {key} = " in page
    assert form_of(answer.text)["text"] == text
    assert 'value="put"' not in answer.text
    assert found.data == TEXT.encode()


async def test_the_difference_comes_before_the_change(tmp_path: Path) -> None:
    async with room(tmp_path) as found:
        opened = await found.get("/configuration/edit")
        assert 'value="put"' not in opened.text
        checked = await found.edit(NEW)
        assert found.data == TEXT.encode()
        unseen = await found.edit(NEW, "put")
        assert found.data == TEXT.encode()
        answer = await found.post("/configuration/edit", **form_of(checked.text), do="put")
    assert "-format = &#34;MCAS&#34;" in checked.text
    assert "+format = &#34;QRADAR&#34;" in checked.text
    assert "Without problems. 2 lines differ." in shown(checked.text)
    assert "The text was changed after it was checked." in shown(unseen.text)
    assert answer.status_code == 303
    assert found.data == NEW.encode()


async def test_what_is_in_force_says_what_it_started_and_is_in_the_audit_log(
    tmp_path: Path,
) -> None:
    async with room(tmp_path) as found:
        answer = await found.put(NEW)
        page = shown((await found.get(answer.headers["location"])).text)
    assert "in force. Started: feed mcas, source web. Ended: feed old." in page
    assert found.operations.in_force.feeds[0].format.value == "QRADAR"
    entry = found.audit()[-1]
    assert (entry["action"], entry["outcome"], entry["who"], entry["changed_lines"]) == (
        "configuration change",
        "put in force",
        "alice (portal)",
        2,
    )


async def test_a_refusal_says_why_keeps_the_text_and_puts_the_file_back(tmp_path: Path) -> None:
    async with room(tmp_path) as found:
        found.operations.refusal = ServiceError(f"feed out: {HOSTILE}", tip="free the port")
        answer = await found.put(NEW)
        page = shown(answer.text)
        assert answer.status_code == 409
        assert "Not in force: the service has refused it: feed out: <script>" in page
        assert "the old configuration stays in force" in page
        assert "free the port" in page
        assert "<script>alert" not in answer.text
        assert form_of(answer.text)["text"] == NEW
        assert found.data == TEXT.encode()
        assert "No version is kept yet" in (await found.get("/configuration/versions")).text

        found.operations.refusal = None
        again = await found.post("/configuration/edit", **form_of(answer.text), do="put")
    assert again.status_code == 303
    assert found.data == NEW.encode()


async def test_somebody_else_s_change_is_not_written_over_unseen(tmp_path: Path) -> None:
    theirs = TEXT.replace("out.log", "theirs.log")
    async with room(tmp_path) as found:
        checked = form_of((await found.edit(NEW)).text)
        found.write(theirs)
        answer = await found.post("/configuration/edit", **checked, do="put")
        assert answer.status_code == 409
        assert "Somebody else has changed the file since you opened it." in shown(answer.text)
        assert "-path = &#34;theirs.log&#34;" in answer.text
        assert found.data == theirs.encode()
        meant = await found.post("/configuration/edit", **form_of(answer.text), do="put")
    assert meant.status_code == 303
    assert found.data == NEW.encode()


async def test_what_needs_a_restart_is_said_and_comes_with_a_command(tmp_path: Path) -> None:
    async with room(tmp_path) as found:
        answer = await found.edit(TEXT.replace(":9633", ":9634"))
        forced = await found.post("/configuration/edit", **form_of(answer.text), do="put")
    page = shown(answer.text)
    assert "A reload can't change portal.listen: that takes a restart." in page
    assert 'value="put"' not in answer.text
    assert f"nss.toml.new {tmp_path}/nss.toml && sudo nss restart" in page
    assert forced.status_code == 409
    assert found.data == TEXT.encode()


async def test_a_file_that_can_t_be_written_can_be_checked_all_the_same(tmp_path: Path) -> None:
    make_link(tmp_path)
    async with room(tmp_path) as found:
        answer = await found.edit(NEW)
        forced = await found.post("/configuration/edit", **form_of(answer.text), do="put")
    page = shown(answer.text)
    assert "The service can't write the file: it is a symbolic link" in page
    assert "+format = &#34;QRADAR&#34;" in answer.text
    assert 'value="put"' not in answer.text
    assert "&& sudo nss reload --config" in page
    assert forced.status_code == 409
    assert found.data == TEXT.encode()


def make_link(folder: Path) -> None:
    (folder / "real.toml").write_text(TEXT)
    (folder / "nss.toml").symlink_to(folder / "real.toml")


async def test_a_hidden_secret_stays_in_the_file(tmp_path: Path) -> None:
    prepared(tmp_path).write_text(f'# password = "{SECRET}"\n{TEXT}')
    async with room(tmp_path) as found:
        opened = form_of((await found.get("/configuration/edit")).text)["text"]
        answer = await found.put(opened.replace("MCAS", "QRADAR"))
        assert answer.status_code == 303
        assert found.data == f'# password = "{SECRET}"\n{NEW}'.encode()
        broken = await found.edit(opened.replace("# password", "# pw"))
    assert "Line 1 *** stands for a value that is not shown here" in shown(broken.text)


async def test_a_secret_that_somebody_types_is_only_in_his_own_text(tmp_path: Path) -> None:
    async with room(tmp_path) as found:
        answer = await found.edit(f'{TEXT}[mcas]\nclient_secret = "{SECRET}"\n')
    assert "unknown key" in shown(answer.text)
    assert "mcas.client_secret = ***" in shown(answer.text)
    assert answer.text.count(SECRET) == form_of(answer.text)["text"].count(SECRET) == 1


@pytest.mark.parametrize(
    "text",
    ["", "\0", "a." * 50_000 + "a=1", "[" * 5000, f"x = '{HOSTILE}'", "\u202e = 1", "a" * 300_000],
)
async def test_hostile_texts_get_a_page(tmp_path: Path, text: str) -> None:
    async with room(tmp_path) as found:
        answer = await found.edit(text)
        put = await found.edit(text, "put")
    assert answer.status_code == put.status_code == 200
    assert "problem" in shown(answer.text)
    assert "<script>alert" not in answer.text
    assert found.data == TEXT.encode()


async def test_bytes_that_are_no_text_change_nothing(tmp_path: Path) -> None:
    async with room(tmp_path) as found:
        opened = form_of((await found.get("/configuration/edit")).text)
        token = await found.client.get("/configuration/edit")
        csrf = token.text.partition('name="csrf" value="')[2].partition('"')[0]
        body = f"csrf={csrf}&digest={opened['digest']}&do=put&checked=x&text=%ff%fe%ed%a0%80"
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await found.client.post("/configuration/edit", content=body, headers=headers)
    assert answer.status_code == 200
    assert found.data == TEXT.encode()


async def test_a_text_that_begins_with_an_empty_line_keeps_it(tmp_path: Path) -> None:
    async with room(tmp_path) as found:
        page = await found.edit(f"\n\n{TEXT}")
        assert "<textarea" in page.text
        assert form_of(page.text)["text"] == f"\n\n{TEXT}"


async def test_versions_can_be_looked_at_and_put_back(tmp_path: Path) -> None:
    async with room(tmp_path) as found:
        await found.put(NEW)
        page = await found.get("/configuration/versions")
        digest = page.text.partition('name="digest" value="')[2].partition('"')[0]
        late = await found.post("/configuration/versions/1", digest="0" * 64)
        assert late.status_code == 409
        assert found.data == NEW.encode()
        answer = await found.post("/configuration/versions/1", digest=digest)
        after = shown((await found.get("/configuration/versions")).text)
        gone = await found.post("/configuration/versions/99", digest=digest)
    text = shown(page.text)
    assert "Version 1 replaced" in text
    assert "by alice (portal)" in text
    assert "+format = &#34;MCAS&#34;" in page.text
    assert "Put version 1 back in force?" in text
    assert answer.status_code == 303
    assert found.data == TEXT.encode()
    assert "Version 1 is in force again. Started: feed mcas" in after
    assert "Version 2 replaced" in after
    assert gone.status_code == 409
    assert "version 99 is not kept" in gone.text
    assert [entry["action"] for entry in found.audit()][-1] == "configuration undo"


async def test_a_version_that_would_not_run_today_says_so(tmp_path: Path) -> None:
    async with room(tmp_path) as found:
        await found.put(NEW)
        kept = tmp_path / "configurations" / "1.toml"
        damage(kept)
        digest = form_of((await found.get("/configuration/edit")).text)["digest"]
        answer = await found.post("/configuration/versions/1", digest=digest)
    assert answer.status_code == 409
    assert "Version 1 can't be put in force" in shown(answer.text)
    assert "feeds.out.format" in shown(answer.text)
    assert found.data == NEW.encode()


def damage(kept: Path) -> None:
    kept.write_bytes(kept.read_bytes().replace(b'"MCAS"', b'"NOPE"'))


async def test_a_change_that_was_cut_short_is_explained(tmp_path: Path) -> None:
    async with room(tmp_path) as found:
        found.operations.refusal = RuntimeError("x")
        answer = await found.put(NEW)
        assert answer.status_code == 500
        found.operations.refusal = None
        pages = [
            shown((await found.get(path)).text)
            for path in ("/configuration", "/configuration/versions")
        ]
    for page in pages:
        assert "The last change, by alice (portal), was cut short: its text is in the file" in page
