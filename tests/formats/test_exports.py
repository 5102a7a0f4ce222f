"""What `formats` itself offers: every name is there, and none is loaded before it is used."""

import subprocess
import sys

import pytest

import formats


@pytest.mark.parametrize("name", formats.__all__)
def test_every_exported_name_is_there(name: str) -> None:
    assert getattr(formats, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'formats' has no attribute 'render'"):
        formats.render  # noqa: B018 - the access is the test


def test_an_error_is_had_without_loading_the_readers() -> None:
    code = "import sys; from formats import FormatsError; print(*sorted(sys.modules))"
    loaded = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    ).stdout.split()
    assert [name for name in loaded if name.split(".")[0] in {"formats", "msgspec"}] == [
        "formats",
        "formats.errors",
    ]
