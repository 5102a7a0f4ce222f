"""Templates can only show text as text, and the browser needs nothing but what is in the policy."""

import re
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nss.admin.portal.texts import FILTERS
from tests.admin.portal.gallery import HOSTILE, TEMPLATES, Gallery

ALL = sorted(TEMPLATES.rglob("*.html")) + sorted(Path(__file__).parent.glob("*.html"))

FORBIDDEN = {
    "safe": r"\|\s*safe\b",
    "Markup": r"\bMarkup\b",
    "autoescape": r"\bautoescape\b",
    "a style attribute": r"<[^>]*\sstyle\s*=",
    "a style element": r"<style\b",
    "a handler": r"<[^>]*\son[a-z]+\s*=",
    "a handler of htmx": r"\bhx-on\b",
    "code in an attribute": r"(javascript|js)\s*:",
    "a filter of an event": r"hx-trigger=\"[^\"]*\[",
    "a script in the page": r"<script(?![^>]*\ssrc=)[^>]*>|<script[^>]*>(?!</script>)",
    "an attribute without quotes": r"<[^>]*\s[a-zA-Z:-]+=\{[{%]",
    "another host": r"(?:href|src|action|url|hx-[a-z:]+)\s*=\s*[\"'](?:[a-z]+:)?//",
    "a picture in the page": r"data:[a-z]+/",
}


def text_of(path: Path) -> str:
    """Return a template without its comments."""
    return re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.DOTALL)


def named(path: Path) -> str:
    return path.name if path.parent == TEMPLATES else f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("path", ALL, ids=named)
@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_template_has(path: Path, what: str) -> None:
    found = re.search(FORBIDDEN[what], text_of(path), flags=re.IGNORECASE)
    assert found is None, found.group()


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("safe", "{{ text | safe }}"),
        ("autoescape", "{% autoescape false %}"),
        ("a style attribute", '<p class="x" style="color: red">'),
        ("a handler", "<p onclick='x()'>"),
        ("code in an attribute", '<a href="javascript:x()">'),
        ("a script in the page", "<script>x()</script>"),
        ("a script in the page", '<script src="x">y()</script>'),
        ("an attribute without quotes", "<input value={{ value }}>"),
        ("another host", '<img src="https://example.com/x.png">'),
        ("another host", "<a href='//example.com'>"),
    ],
)
def test_what_is_forbidden_is_found(what: str, text: str) -> None:
    assert re.search(FORBIDDEN[what], text, flags=re.IGNORECASE)


@pytest.mark.parametrize("path", ALL, ids=named)
def test_each_template_compiles_and_names_only_filters_that_there_are(path: Path) -> None:
    loader = FileSystemLoader([TEMPLATES, Path(__file__).parent])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.filters |= FILTERS
    folder = TEMPLATES if path.is_relative_to(TEMPLATES) else Path(__file__).parent
    assert environment.get_template(path.relative_to(folder).as_posix())


@pytest.mark.parametrize("path", ALL, ids=named)
def test_each_template_closes_what_it_opens(path: Path) -> None:
    text = text_of(path)
    for tag in ("div", "section", "form", "details", "table", "ul", "ol", "dl", "nav", "figure"):
        opened, closed = len(re.findall(rf"<{tag}\b", text)), len(re.findall(rf"</{tag}>", text))
        assert opened == closed, tag


@pytest.mark.parametrize(
    "call",
    [
        "ui.chip(text, text)",
        "ui.facts([(text, text)])",
        "ui.field(text, text, text, text, text, text, check=text, id=text)",
        "ui.area(text, text, text, 3, text, text, text)",
        "ui.choice(text, text, [(text, text)], text, text, text)",
        "ui.choice(text, text, [(text, text)], text, text, text, readonly=true)",
        "ui.tick(text, text, hint=text)",
        "ui.button(text, text, text, text)",
        "ui.empty(text, text)",
        "ui.notice(text, text, text)",
        "ui.confirm(text, text, text, text)",
        "ui.tabs([(text, text, true)], text)",
        "ui.graph(text, text, text, text)",
        "ui.copy(text, text)",
        "ui.code(text, text, text)",
        "ui.diff([text], text)",
        "ui.stat(text, text, text, text)",
        "ui.meter(text, 1, 2, text)",
        "ui.live(text)",
        "ui.tap(text, text)",
    ],
)
def test_no_macro_lets_an_argument_out_of_its_place(call: str) -> None:
    templates = Gallery().templates
    source = '{% import "ui.html" as ui with context %}{{ ' + call + " }}"
    shown = templates.from_string(source).render(text=HOSTILE, csrf="token")
    assert "<script" not in shown
    assert "<img" not in shown
    assert "<hx-partial" not in shown
    assert "\"'>" not in shown
    assert "&lt;script&gt;" in shown


def test_a_password_is_never_on_a_page() -> None:
    source = '{% import "ui.html" as ui with context %}{{ ui.field("a", "A", value, type=kind) }}'
    template = Gallery().templates.from_string(source)
    assert "hunter2" not in template.render(csrf="t", value="hunter2", kind="password")
    assert "hunter2" in template.render(csrf="t", value="hunter2", kind="text")


def test_a_form_has_the_token_of_the_session() -> None:
    source = '{% import "ui.html" as ui with context %}{% call ui.form("/x") %}{% endcall %}'
    shown = Gallery().templates.from_string(source).render(csrf="the token")
    assert '<input type="hidden" name="csrf" value="the token">' in shown


def test_a_time_is_text_that_scripts_can_read() -> None:
    source = '{% import "ui.html" as ui with context %}{{ ui.moment(at) }}'
    template = Gallery().templates.from_string(source)
    assert template.render(csrf="t", at=1_790_000_000.0) == (
        '<time datetime="2026-09-21T14:13:20Z" title="2026-09-21 14:13:20 UTC">'
        "2026-09-21 14:13:20 UTC</time>"
    )
    assert template.render(csrf="t", at=None) == '<span class="quiet">never</span>'
