"""The pipelines of one feed: which one renders the records of which connection of a source."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from formats import FeedSettings, Input, Lines, NotReadable, Pipeline, Rendered, recognise
from formats.lines import UNLIMITED
from formats.reading import split_lines
from formats.reading.recognise import unrecognised
from nss.feeds import events
from nss.feeds.gaps import Gaps

LOOK_MAX_BYTES = 2 << 20
"""How much of what follows a slice in its batch may be looked at to recognise its form."""

MAX_SENDERS = 4096
"""How many connections' forms are remembered; with one more, all are forgotten."""

Sender = tuple[str, str]
"""A source, and one of its connections."""

Done = tuple[Pipeline, Rendered]
"""What a pipeline has made of a slice already."""

_NOTHING = memoryview(b"")


@dataclass(frozen=True, slots=True)
class Origin:
    """How a feed reads one source: its input, or `None` to recognise it, and its settings."""

    input: Input | None
    settings: FeedSettings


class Pipelines:
    """Renders slices of batches, each connection in a form of its own."""

    def __init__(self, feed: str, origins: Mapping[str, Origin]) -> None:
        self.gaps = Gaps(feed)
        self._feed = feed
        self._origins = origins
        self._of_sender: dict[Sender, Pipeline] = {}
        self._compiled: dict[tuple[str, str], Pipeline] = {}
        self._hopeless: object = None
        """The batch at hand, once nothing was recognised in it: it is not looked at again."""

    def expected(self, sender: Sender) -> Pipeline | None:
        """Return the pipeline that the next slice of a sender is rendered with first, if known."""
        return self._of_sender.get(sender)

    def recognises(self, source: str) -> bool:
        """Return whether the forms of a source are recognised, each slice's by itself."""
        return self._origins[source].input is None

    def render(
        self,
        sender: Sender,
        data: bytes,
        following: memoryview = _NOTHING,
        done: Done | None = None,
        max_bytes: int = UNLIMITED,
    ) -> tuple[Pipeline | None, Rendered]:
        """Return what became of a slice, and by which pipeline; `None`: no form was recognised.

        `following` is the rest of its batch, which may show the form when the slice does not: a
        view of the bytes of the whole batch, by which its slices are known to belong together.
        With `done` the pipeline that was expected has run already, in a thread. Lines are cut to
        `max_bytes`, if they can be.
        """
        pipeline, rendered = self._render(sender, data, following, done, max_bytes)
        if pipeline is not None:
            settings = self._origins[sender[0]].settings
            self.gaps.look(sender[0], pipeline.source, settings.format, data, rendered)
        return pipeline, rendered

    def _render(
        self,
        sender: Sender,
        data: bytes,
        following: memoryview,
        done: Done | None,
        max_bytes: int,
    ) -> tuple[Pipeline | None, Rendered]:
        pipeline = self._of_sender.get(sender)
        rendered = None
        if self._hopeless is not following.obj:
            self._hopeless = None
        origin = self._origins[sender[0]]
        if pipeline is not None:
            is_done = done is not None and done[0] is pipeline
            rendered = done[1] if done and is_done else pipeline.run(data, max_bytes)
            if origin.input is not None or rendered.lines or rendered.filtered:
                return pipeline, rendered
        # Nothing of it could be read: its sender may write another form than the last.
        found = origin.input or self._recognised(data, following)
        if found is None:
            return pipeline, rendered or Rendered(Lines.of(()), [], bad=unrecognised(data))
        before, pipeline = pipeline, self._compile(sender[0], found, origin)
        if rendered is not None and pipeline is before:
            return pipeline, rendered
        if len(self._of_sender) >= MAX_SENDERS:
            self._of_sender.clear()
        self._of_sender[sender] = pipeline
        return pipeline, pipeline.run(data, max_bytes)

    def _recognised(self, data: bytes, following: memoryview) -> Input | None:
        batch = following.obj
        if batch and batch is self._hopeless:
            return None
        try:
            return recognise(data + following[:LOOK_MAX_BYTES])
        except NotReadable:
            self._hopeless = batch
            return None

    def _compile(self, source: str, found: Input, origin: Origin) -> Pipeline:
        """Return what renders records of one form of a source, compiled once."""
        pipeline = self._compiled.get((source, found.name))
        if pipeline is None:
            pipeline = self._compiled[source, found.name] = Pipeline(found, origin.settings)
            if origin.input is None:
                events.format_recognised(self._feed, source, found.name)
        return pipeline


def records_behind(
    pipeline: Pipeline, data: bytes, numbers: Sequence[int]
) -> Iterator[tuple[int, bytes]]:
    """Yield, for some lines of a slice by their numbers, the records they were rendered from.

    `numbers` are sorted. Rendering does not note it, as next to no record is ever asked for. Of an
    array only the record itself is taken: its neighbours have their own fate.
    """
    wanted, rendered = deque(numbers), 0
    for _, line in split_lines(data):
        before, rendered = rendered, rendered + len(pipeline.run(line + b"\n").lines)
        if not wanted or wanted[0] >= rendered:
            continue
        pieces = pipeline.decode(line).pieces.values()
        for record in [piece for _, piece in pieces] or [line]:
            before += len(pipeline.run(record + b"\n").lines)
            while wanted and wanted[0] < before:
                yield wanted.popleft(), record
