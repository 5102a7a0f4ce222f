"""What a web transaction record means: the feed format language, reading and rendering.

Pure: bytes and strings in, bytes and strings out. No sockets, clocks, logging or event loops.

What others use most stands here, and is imported when it is first asked for: a caller that needs
one of the errors does not load the readers. `formats.presets`, `formats.filters` and
`formats.leef` are modules of their own.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the same names as in _MODULES
    from formats.errors import FormatsError as FormatsError
    from formats.errors import NotReadable as NotReadable
    from formats.language import FeedFormat as FeedFormat
    from formats.language import parse as parse
    from formats.lines import Lines as Lines
    from formats.pipeline import FeedSettings as FeedSettings
    from formats.pipeline import Pipeline as Pipeline
    from formats.pipeline import Rendered as Rendered
    from formats.reading import MAX_RECORD_BYTES as MAX_RECORD_BYTES
    from formats.reading import BadRecord as BadRecord
    from formats.reading import Input as Input
    from formats.reading.json import json_names as json_names
    from formats.reading.recognise import input_of as input_of
    from formats.reading.recognise import recognise as recognise
    from formats.times import zone as zone
else:
    _MODULES = {
        "errors": "FormatsError NotReadable",
        "language": "FeedFormat parse",
        "lines": "Lines",
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

    def __dir__() -> list[str]:
        return sorted({*globals(), *_MODULE_OF})
