"""The studio without scripts, and what htmx asks for: viewers may use all of it."""

import asyncio
import html
import json
import re
from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from formats import presets
from nss.admin.portal.app import PortalApp
from nss.admin.portal.pages.studio import MAX_WAITING
from nss.config.load import parse
from nss.lab import hostile
from nss.setup.studio import MAX_FORMAT_BYTES, MAX_RECORDS
from nss.setup.studio.samples import examples
from tests.admin.portal.parts import browser, served
from tests.admin.portal.studio.conftest import StudioOperations, Visitor, shown

pytestmark = pytest.mark.long

RECORD = '{"time": "Fri Oct  6 09:05:08 2023", "login": "ana", "eurl": "h/a,b"}\n'


async def test_the_page_begins_with_the_format_of_the_first_feed_and_examples(
    visitor: Visitor,
) -> None:
    page = await visitor.get()

    assert visitor.fields["format_string"] == presets.text("MCAS")
    assert visitor.fields["samples"] == examples()
    assert "12 rendered; read as JSON with NSS field names" in page
    assert "Record 1 taken apart" in page
    assert "It prints the same as the preset" in page
    assert len(page) < 100_000


async def test_a_feed_that_passes_records_on_unchanged_has_no_format_to_load(
    visitor: Visitor,
) -> None:
    page = await visitor.get()
    assert "Format of feed own" in page
    assert "Format of feed onwards" not in page


async def test_the_page_can_be_empty(visitor: Visitor) -> None:
    page = await visitor.get("/studio?empty")

    assert (visitor.fields["format_string"], visitor.fields["samples"]) == ("", "")
    assert "There is no format string yet" in page
    assert "Nothing to render" in page
    assert "No sample records" in await visitor.page(format_string="%s{login}")


async def test_a_link_can_name_what_is_loaded(visitor: Visitor) -> None:
    await visitor.get("/studio?load=preset%20CSV")
    assert visitor.fields["format_string"] == presets.text("CSV")

    answer = await visitor.http.get("/studio?load=preset%20NONE")
    assert (answer.status_code, "no such format" in answer.text) == (400, True)


async def test_what_one_types_is_rendered_in_its_place(visitor: Visitor) -> None:
    part = await visitor.render(format_string="%s{login} at %s{eurl}", samples=RECORD)

    assert "<html" not in part
    assert "ana at h/a,b" in shown(part)
    assert "1 rendered; read as JSON with NSS field names; longest line 12 bytes" in shown(part)


async def test_the_page_keeps_everything_that_was_put_in(visitor: Visitor) -> None:
    await visitor.get()
    put_in = {
        "format_string": "\n%s{login},%s{eurl}\n",
        "samples": RECORD * 2,
        "zone": "GMT+2",
        "source_zone": "Asia/Tokyo",
        "escape_characters": ',"',
        "filter": 'users = "a*"',
        "protect_quotes": "yes",
        "protect_pairs": "yes",
        "compare": "CSV",
        "input": "json",
        "load": "preset JSON",
        "from": "siem",
        "count": "50",
    }
    visitor.fields.pop("protect_separators")
    await visitor.page(**put_in)

    assert {name: visitor.fields[name] for name in put_in} == put_in
    assert not {"protect_separators", "protect_pipes"} & visitor.fields.keys()


@pytest.mark.parametrize("name", presets.names())
async def test_every_preset_can_be_loaded_and_shows_its_fields(visitor: Visitor, name: str) -> None:
    page = await visitor.page(load=f"preset {name}", do="load", samples=examples())

    assert visitor.fields["format_string"] == presets.text(name).removesuffix("\n")
    assert "12 rendered" in page
    rows = re.findall(r"<td>(?:<code>(.*?)</code>)?", page.partition("taken apart")[2])
    printed = {field for row in rows for field in re.findall(r"\{(\w+)\}", html.unescape(row))}
    assert printed == presets.load(name).field_names
    assert f"Compared with {name}" in page


async def test_the_format_of_a_feed_comes_with_its_zone_and_choices(visitor: Visitor) -> None:
    page = await visitor.page(load="feed own", do="load", samples=RECORD, protect_separators="yes")

    assert visitor.fields["format_string"] == "%s{time},%s{eurl}"
    assert (visitor.fields["zone"], visitor.fields["escape_characters"]) == ("Europe/Berlin", ",")
    assert visitor.fields["protect_pipes"] == "yes"
    assert not {"protect_separators", "protect_quotes"} & visitor.fields.keys()
    assert "Fri Oct 6 11:05:08 2023,h/a%2Cb" in shown(page)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"do": "load", "load": "feed lost"}, "no such file or directory"),
        ({"do": "load", "load": "feed onwards"}, "no such format to load"),
        ({"do": "load", "load": "feed unknown"}, "no such format"),
        ({"do": "load", "load": "/etc/passwd"}, "no such format"),
        ({"do": "take", "from": "unknown", "count": "10"}, "is not known"),
        ({"do": "take", "from": "mcas", "count": "201"}, "from 1 to 200 records"),
        ({"do": "take", "from": "mcas", "count": "-1"}, "from 1 to 200 records"),
        ({"do": "take", "from": "mcas", "count": "many"}, "number of records is none"),
    ],
)
async def test_what_can_not_be_done_is_said_and_what_was_typed_stays(
    visitor: Visitor, fields: dict[str, str], reason: str
) -> None:
    page = await visitor.page(format_string="%s{login}", samples=RECORD, **fields)

    assert reason in page
    assert (visitor.fields["format_string"], visitor.fields["samples"]) == ("%s{login}", RECORD)


async def test_an_error_has_its_column_a_caret_and_the_nearest_name(visitor: Visitor) -> None:
    part = await visitor.render(format_string=r"%s{lgoin}\t%d{recordidd}", samples=RECORD)

    assert "2 errors in the format string" in shown(part)
    assert "Unknown field 'lgoin' column 4" in shown(part)
    assert "Unknown field 'recordidd' column 15" in shown(part)
    assert "Try: %s{login}" in shown(part)
    assert "Try: %d{recordid}" in shown(part)
    before, marked, caret = re.findall(
        r"<pre[^>]*>(.*?)<mark>(.*?)</mark>.*?>( *\^+)<", part, re.DOTALL
    )[1]
    assert html.unescape(before) == r"%s{lgoin}\t%d{"
    assert caret == " " * 14 + "^" * len(marked)
    assert "taken apart" not in part
    assert "toml" not in part


async def test_what_is_wrong_elsewhere_leads_to_its_field(visitor: Visitor) -> None:
    part = await visitor.render(
        format_string="%s{login}", samples=RECORD, zone="Nowhere", filter="actoin = 'x'"
    )
    assert '<a href="#f-zone">Time zone</a>' in part
    assert '<a href="#f-filter">Filter</a>' in part
    assert "the nearest is action" in part
    assert "ana" not in shown(part)


async def test_a_reject_is_shown_with_its_number_reason_and_record(visitor: Visitor) -> None:
    part = await visitor.render(format_string="%s{login}", samples=RECORD + "<b>no record</b>\n")

    assert "1 rendered, 1 rejected" in part
    assert "Record 2 rejected" in shown(part)
    assert "&lt;b&gt;no record&lt;/b&gt;" in part
    assert "<b>" not in part


async def test_another_record_can_be_taken_apart_and_stays_chosen(visitor: Visitor) -> None:
    samples = RECORD + RECORD.replace("ana", "berta")
    page = await visitor.page(format_string="user=%s{login}", samples=samples, look="2")

    assert "Record 2 taken apart" in page
    assert visitor.fields["look"] == "2"
    assert "berta" in page.partition("taken apart")[2]
    again = await visitor.render(format_string="who=%s{login}", samples=samples)
    assert "Record 2 taken apart" in again


async def test_samples_can_be_in_the_format_of_a_source_or_in_the_format_itself(
    visitor: Visitor,
) -> None:
    samples = "seen Fri Oct  6 09:05:08 2023 ana end"
    page = await visitor.page(format_string="%s{login}", samples=samples, input="source old")
    assert visitor.fields["input"] == "source old"
    assert "1 rendered; read as its own format string" in page

    page = await visitor.page(format_string="[%s{login}]", samples="[ana]", input="own")
    assert visitor.fields["input"] == "own"
    assert "[ana]" in page
    await visitor.page(do="load", load="preset CSV")
    assert visitor.fields["input"] == "own"


async def test_a_choice_that_there_is_not_is_as_if_nothing_was_chosen(visitor: Visitor) -> None:
    samples = RECORD
    for wrong in ("source unknown", "preset NONE", "/etc/passwd", "file /etc/passwd"):
        part = await visitor.render(format_string="%s{login}", samples=samples, input=wrong)
        assert "1 rendered; read as JSON with NSS field names" in part
    part = await visitor.render(
        format_string="%s{login}", samples=samples, compare="../x", look="x" * 50, zone="Z" * 9000
    )
    assert "neither an IANA name" in part
    assert "Z" * 201 not in part


async def test_the_difference_to_a_preset_is_said_in_words_and_marked_up(visitor: Visitor) -> None:
    text = presets.text("MCAS").replace(r"\trealm=%s{location}", r"\tdept=%s{dept}")
    part = await visitor.render(
        format_string=text.replace("%d{dd}", "%02d{dd}"), samples=RECORD, compare="MCAS"
    )

    assert "Added dept Removed location Printed otherwise %d{dd} is %02d{dd}" in shown(part)
    assert re.search(r"<del>- %d\{dd\}\s*</del><ins>\+ %02d\{dd\}\s*</ins>", part)
    assert re.search(r"<del>- \\trealm=%s\{location\}\s*</del>", part)


async def test_the_toml_is_text_that_can_be_copied(visitor: Visitor) -> None:
    format_string = "'''\\t%s{login} <b>\"x\""
    part = await visitor.render(format_string=format_string, samples="", zone="GMT+2")
    toml = html.unescape(re.search(r'<code id="toml">(.*?)</code>', part, re.DOTALL)[1])  # type: ignore[index]

    assert 'data-copy="toml"' in part
    config = parse(
        f'[sources.a]\nkind = "stdin"\n[feeds.a]\n{toml}sink = {{kind = "file", path = "-"}}\n',
        Path("/etc/nss"),
    )
    assert (config.feeds[0].format.value, config.feeds[0].zone) == (format_string, "GMT+2")


EVIL = "</textarea></pre><script>alert(1)</script><img src=x onerror=alert(1)>\"'<hx-partial>"


@pytest.mark.parametrize("path", ["/studio", "/studio/render"])
@pytest.mark.parametrize(
    "name",
    [
        *("format_string", "samples", "zone", "source_zone", "escape_characters", "filter"),
        *("compare", "input", "look", "load", "from", "count", "do", "protect_separators"),
        "protect_pipes",
    ],
)
async def test_nothing_that_is_put_in_is_more_than_text(
    visitor: Visitor, path: str, name: str
) -> None:
    fields = {"format_string": "%s{login}", "samples": RECORD, name: EVIL}
    answer = await visitor.post(path, **fields)

    assert answer.status_code == 200
    for tag in ("<script>alert", "<img", "<hx-partial", "</textarea></pre>"):
        assert tag not in answer.text


@pytest.mark.parametrize("value", [EVIL, *hostile.VALUES])
async def test_hostile_records_are_text_wherever_they_are_shown(
    visitor: Visitor, value: str
) -> None:
    keys = ("login", "reason", "eurl", "dept", "time")
    record = json.dumps(dict.fromkeys(keys, value) | {"time": "2023-10-06 09:05:08"})
    rejected = json.dumps(dict.fromkeys(keys, value))
    for name in ("MCAS", "JSON", "CSV", "ARCSIGHT_CEF"):
        part = await visitor.render(
            format_string=presets.text(name), samples=f"{record}\n{rejected}\n{value}\n"
        )
        assert "<script>alert" not in part
        assert "<img" not in part
        assert all(letter.isprintable() or letter == "\n" for letter in part)


async def test_a_hostile_format_string_is_text_in_errors_difference_and_table(
    visitor: Visitor,
) -> None:
    for text in (
        EVIL + "%s{login}",
        f"%s{{{EVIL}}}",
        f"LEEF:1.0|<b>|n|4|e|<i>=%s{{login}}\\t{EVIL}=1",
    ):
        part = await visitor.render(format_string=text, samples=RECORD)
        assert not re.search("<(script|img|b|i|hx-partial)>", part)
    part = await visitor.render(format_string="%s{login}\u202e\u200b\u00a0", samples=RECORD)
    assert all(letter.isprintable() or letter == "\n" for letter in part)


async def test_too_much_is_refused_with_the_limit(visitor: Visitor) -> None:
    part = await visitor.render(format_string="x" * (MAX_FORMAT_BYTES + 1), samples=RECORD)
    assert "Feed output format string : larger than 65,536 bytes" in shown(part)

    part = await visitor.render(format_string="%s{login}", samples=RECORD * (MAX_RECORDS + 7))
    assert "200 rendered, 7 left out" in part
    assert "7 more records are left out" in part

    answer = await visitor.post(samples="x" * 5_000_000)
    assert (answer.status_code, "larger than" in answer.text) == (400, True)


async def test_the_studio_is_for_those_who_have_signed_in_and_needs_the_token(
    tmp_path: Path, visitor: Visitor
) -> None:
    visitor.csrf = "wrong"
    assert (await visitor.post()).status_code == 403
    assert "not of this session" in (await visitor.post("/studio/render")).text
    async with served(tmp_path, StudioOperations()) as app, browser(app) as http:
        assert (await http.get("/studio")).status_code == 303
        assert (await http.post("/studio/render", data={})).status_code in {303, 401}


async def test_too_many_at_once_are_refused_and_the_rest_is_served(visitor: Visitor) -> None:
    samples = RECORD * 200
    text = r"\t".join(["%s{login}"] * 150)
    asked = [visitor.post("/studio/render", format_string=text, samples=samples) for _ in range(24)]
    answers = await asyncio.gather(*asked)

    refused = [answer for answer in answers if "too many formats" in answer.text]
    assert len(refused) == len(answers) - MAX_WAITING
    assert all("200 rendered" in each.text for each in answers if each not in refused)
    assert "1 rendered" in await visitor.render(format_string="%s{login}", samples=RECORD)


async def test_what_a_browser_does_not_wait_for_any_more_is_not_tried(
    app: PortalApp, visitor: Visitor
) -> None:
    body = urlencode({"csrf": visitor.csrf, "format_string": "%s{login}", "samples": RECORD})
    request = visitor.http.build_request("POST", "/studio/render", content=body)
    request.headers["content-type"] = "application/x-www-form-urlencoded"
    request.headers["hx-request"] = "true"
    waiting: list[dict[str, object]] = [{"type": "http.request", "body": body.encode()}]
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, object]:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/studio/render",
        "raw_path": b"/studio/render",
        "query_string": b"",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 50_000),
    }
    await app(scope, receive, send)

    assert [message.get("status") for message in sent] == [204, None]


async def test_there_is_a_studio_without_feeds(visitor: Visitor, studio: StudioOperations) -> None:
    studio.config = replace(studio.config, feeds=())
    page = await visitor.get()

    assert "There is no format string yet" in page
    assert visitor.fields["from"] == ""
