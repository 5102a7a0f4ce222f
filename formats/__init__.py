"""What a web transaction record means: the feed format language, reading and rendering.

Pure: bytes and strings in, bytes and strings out. No sockets, clocks, logging or event loops.

What others use most stands here, and is imported when it is first asked for: a caller that needs
one of the errors does not load the readers. `formats.presets`, `formats.filters` and
`formats.leef` are modules of their own.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from formats.errors import (
        FeedFormatError,
        FilterError,
        FormatsError,
        NotReadable,
        Problem,
        ZoneError,
    )
    from formats.filters import Filter
    from formats.language import FeedFormat, parse
    from formats.pipeline import FeedSettings, Pipeline, Rendered
    from formats.reading import MAX_RECORD_BYTES, BadRecord, Input
    from formats.reading.json import json_names
    from formats.reading.recognise import input_of, recognise
    from formats.times import zone

__all__ = [
    "MAX_RECORD_BYTES",
    "BadRecord",
    "FeedFormat",
    "FeedFormatError",
    "FeedSettings",
    "Filter",
    "FilterError",
    "FormatsError",
    "Input",
    "NotReadable",
    "Pipeline",
    "Problem",
    "Rendered",
    "ZoneError",
    "input_of",
    "json_names",
    "parse",
    "recognise",
    "zone",
]

_MODULES = {
    "errors": "FeedFormatError FilterError FormatsError NotReadable Problem ZoneError",
    "filters": "Filter",
    "language": "FeedFormat parse",
    "pipeline": "FeedSettings Pipeline Rendered",
    "reading": "MAX_RECORD_BYTES BadRecord Input",
    "reading.json": "json_names",
    "reading.recognise": "input_of recognise",
    "times": "zone",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
