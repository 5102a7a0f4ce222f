"""The format that the first configuration gives each target."""

import pytest

from nss.setup.template import UPLOAD, Choices, Target


@pytest.mark.parametrize(
    ("chosen", "uploaded"),
    [("QRADAR", "QRADAR"), ("JSON", "MCAS"), ("unchanged", "MCAS"), ("own.fof", "own.fof")],
)
def test_an_upload_gets_a_format_that_cloud_discovery_parses(chosen: str, uploaded: str) -> None:
    file = Target.parse("file:lines")
    choices = Choices(format=chosen, targets=(UPLOAD, file))
    assert choices.format_for(UPLOAD) == uploaded
    assert choices.format_for(file) == chosen
