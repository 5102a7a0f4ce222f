"""What commands point to is there: pages of the docs only by `page`, which looks for them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nss.wording import page

ROOT = Path(__file__).parents[2]
_PAGE = re.compile(r"[\w-]+\.md\b|\bdocs/")
_UNIT = re.compile(r"(?:systemctl [a-z-]+|journalctl (?:\S+ )*?-u) (nss\b[\w.@-]*)")
_OF_THE_REFERENCE = {
    "nss/config/model.py",  # descriptions of settings, which are in that page
    "nss/config/sources.py",
    "nss/config/sinks.py",
}


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts of a module, with their lines, that are not for its readers alone."""
    tree = ast.parse(path.read_text())
    notes = {
        id(statement.value)
        for statement in ast.walk(tree)
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    }
    asked = {
        id(argument)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "page"
        for argument in call.args
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) in asked:
                assert (ROOT / "docs" / node.value).is_file(), node.value
            elif id(node) not in notes:
                yield node.lineno, node.value


@pytest.mark.parametrize("folder", ["cli", "formats", "nss"])
def test_no_text_names_a_page_that_a_machine_may_not_have(folder: str) -> None:
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        where = str(path.relative_to(ROOT))
        if where in _OF_THE_REFERENCE or path.name == "reference.py":
            continue
        found += [f"{where}:{line}" for line, text in texts_of(path) if _PAGE.search(text)]
    assert found == []


def test_pages_of_the_portal_name_none_either() -> None:
    pages = sorted((ROOT / "nss").rglob("*.html"))
    assert pages
    assert [str(path) for path in pages if _PAGE.search(path.read_text())] == []


def test_a_page_that_is_not_there_is_not_named() -> None:
    assert page("no-such-page.md") is None


def test_what_systemd_is_asked_names_the_unit_that_there_is() -> None:
    texts = [
        (str(path.relative_to(ROOT)), text)
        for folder in ("cli", "formats", "nss")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for _, text in texts_of(path)
    ]
    texts += [
        (str(path.relative_to(ROOT)), path.read_text())
        for folder in ("docs", "nss", "packaging")
        for path in sorted((ROOT / folder).rglob("*"))
        # A link of the appliance's root may lead to a unit of Debian's, which is not here.
        if path.suffix in {".md", ".html", ".yml", ".toml", ".service"} and path.is_file()
    ]
    named = {(where, unit) for where, text in texts for unit in _UNIT.findall(text)}
    assert "nss/causes.py" in {where for where, _ in named}
    units = {unit.stem for unit in (ROOT / "packaging").rglob("nss*.service")}
    # Of the template, each service has a name of its own behind the @.
    asked = {(where, re.sub("@.*", "@", unit.removesuffix(".service"))) for where, unit in named}
    assert {each for each in asked if each[1] not in units} == set()
