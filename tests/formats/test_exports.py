"""What `formats` itself offers: every name is there, and none is loaded before it is used."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import formats


def test_every_name_that_is_declared_is_there() -> None:
    text = Path(formats.__file__).read_text(encoding="utf-8")
    declared = set(re.findall(r"import (\w+) as \1\n", text))
    assert declared == set(dir(formats)) - set(vars(formats))
    assert None not in {getattr(formats, name) for name in declared}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'formats' has no attribute 'render'"):
        formats.render  # type: ignore[attr-defined]  # noqa: B018 - the access is the test


def test_an_error_is_had_without_loading_the_readers() -> None:
    code = "import sys; from formats import FormatsError; print(*sorted(sys.modules))"
    loaded = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    ).stdout.split()
    assert [name for name in loaded if name.split(".")[0] in {"formats", "msgspec"}] == [
        "formats",
        "formats.errors",
    ]
