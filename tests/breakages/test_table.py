"""Each golden text is compared with a real breakage, and stands in the docs word for word."""

import re
from pathlib import Path

import pytest

from tests.breakages.conftest import GOLDEN

FOLDER = Path(__file__).parent
PAGE = FOLDER.parent.parent / "docs" / "troubleshooting.md"
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(GOLDEN.glob("*.txt"))}


@pytest.mark.parametrize("name", TEXTS)
def test_each_golden_text_belongs_to_a_breakage(name: str) -> None:
    modules = [path.read_text(encoding="utf-8") for path in FOLDER.glob("test_*.py")]
    assert any(f'"{name}"' in module for module in modules)


@pytest.mark.parametrize("name", TEXTS)
def test_the_docs_show_each_golden_text_word_for_word(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert TEXTS[name] in re.findall(r"```text\n(.*?)```", page, re.DOTALL)
