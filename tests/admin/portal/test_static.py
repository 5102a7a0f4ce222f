"""What browsers load is what the packages have, small, and kept for as long as it is the same."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import TypedDict

import httpx
import pytest
from starlette.applications import Starlette

from nss.admin.portal.static import CONTENT_TYPES, FOLDER, StaticFiles, accepts_gzip

VENDOR = Path(__file__).parent / "vendor"

OWN = {"nss.css", "nss.js", "graphs.js", "theme.js", "icon.svg", "manifest.json"} | {
    "audit.css",
    "configuration.css",
    "editor.js",
    "studio.css",
}

KB = 1000

ON_EVERY_PAGE = ["nss.css", "nss.js", "theme.js", "htmx.min.js", "hx-sse.min.js"]
WITH_GRAPHS = [*ON_EVERY_PAGE, "graphs.js", "uplot.min.js", "uplot.min.css"]


class Entry(TypedDict):
    name: str
    package: str
    version: str
    licence: str
    licence_file: str
    source: str
    sha256: str


def entries(folder: Path) -> list[Entry]:
    found: list[Entry] = json.loads((folder / "manifest.json").read_text())["files"]
    return found


def client() -> httpx.AsyncClient:
    app = Starlette(routes=StaticFiles().routes())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://portal")


@pytest.mark.parametrize(("folder", "own"), [(FOLDER, OWN), (VENDOR, {"manifest.json"})])
def test_the_manifest_names_each_vendored_file_and_no_other(folder: Path, own: set[str]) -> None:
    there = {path.name for path in folder.iterdir()}
    assert {entry["name"] for entry in entries(folder)} == there - own
    assert own <= there


@pytest.mark.parametrize("folder", [FOLDER, VENDOR])
def test_each_vendored_file_is_the_one_of_the_manifest(folder: Path) -> None:
    for entry in entries(folder):
        content = (folder / entry["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], entry["name"]
        assert entry["package"], entry["version"]


@pytest.mark.parametrize("folder", [FOLDER, VENDOR])
def test_each_vendored_package_has_its_licence_beside_it(folder: Path) -> None:
    words = {"0BSD": "Zero-Clause BSD", "MIT": "The MIT License", "MPL-2.0": "Mozilla Public"}
    names = {entry["name"] for entry in entries(folder)}
    for entry in entries(folder):
        assert entry["licence_file"] in names
        assert words[entry["licence"]] in (folder / entry["licence_file"]).read_text()


def test_no_file_has_the_browser_ask_for_another() -> None:
    for path in FOLDER.iterdir():
        if path.suffix in CONTENT_TYPES:
            text = path.read_text()
            assert "sourceMappingURL" not in text
            assert "@import" not in text
            assert "url(" not in text


def test_own_scripts_make_no_html_and_no_code_of_text() -> None:
    for name in ("nss.js", "graphs.js", "theme.js"):
        text = (FOLDER / name).read_text()
        for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("):
            assert word not in text
        assert "new Function" not in text
        assert "://" not in text


@pytest.mark.parametrize(
    ("names", "most"), [(["nss.css"], 18 * KB), (["nss.js"], 12 * KB), (ON_EVERY_PAGE, 80 * KB)]
)
def test_files_stay_small(names: list[str], most: int) -> None:
    assert sum((FOLDER / name).stat().st_size for name in names) < most


def test_what_a_page_with_graphs_loads_is_less_than_60_kb_on_the_wire() -> None:
    packed = [gzip.compress((FOLDER / name).read_bytes(), mtime=0) for name in WITH_GRAPHS]
    assert sum(map(len, packed)) < 60 * KB


async def test_a_file_is_kept_by_the_browser_under_the_address_of_its_content() -> None:
    async with client() as http:
        answer = await http.get(StaticFiles().url("nss.css"))
        assert answer.status_code == 200
        assert answer.content == (FOLDER / "nss.css").read_bytes()
        assert answer.headers["content-type"] == "text/css; charset=utf-8"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("query", ["", "?v=", "?v=00000000"])
async def test_a_file_is_asked_for_again_under_any_other_address(query: str) -> None:
    async with client() as http:
        answer = await http.get(f"/static/nss.js{query}")
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        again = {"if-none-match": answer.headers["etag"]}
        same = await http.get(f"/static/nss.js{query}", headers=again)
        assert (same.status_code, same.content) == (304, b"")


async def test_a_file_is_packed_for_who_can_unpack_it() -> None:
    async with client() as http:
        packed = await http.get("/static/nss.css", headers={"accept-encoding": "br, gzip"})
        plain = await http.get("/static/nss.css", headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert packed.content == plain.content
    assert "content-encoding" not in plain.headers
    assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"


@pytest.mark.parametrize(
    "name",
    ["manifest.json", "htmx.LICENSE.txt", "nothing.js", "..%2fstatic.py", "%2e%2e/view.py", ""],
)
async def test_nothing_else_is_served(name: str) -> None:
    async with client() as http:
        answer = await http.get(f"/static/{name}")
    assert answer.status_code == 404


def test_an_unknown_name_in_a_template_is_an_error() -> None:
    with pytest.raises(KeyError):
        StaticFiles().url("nothing.js")


@pytest.mark.parametrize(
    ("accepted", "allowed"),
    [
        ("gzip, deflate, br", True),
        ("GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
        ("br", False),
        ("", False),
    ],
)
def test_gzip_is_sent_only_where_it_is_allowed(accepted: str, *, allowed: bool) -> None:
    assert accepts_gzip(accepted) is allowed
