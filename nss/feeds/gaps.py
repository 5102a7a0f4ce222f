"""What a feed can't use of the records it gets, and what it lacks: by source and form."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from formats import FeedFormat, Input, Rendered
from formats.essentials import Essential, Survey, listed
from formats.reading.unmapped import add_unmapped
from nss.feeds import events
from nss.status.readings import GapsReading

_LOOKED_AT = 16
"""How many records of a slice are searched for a value of what is missing."""


@dataclass(slots=True)
class _Form:
    """What is known of the records of one source in one form."""

    survey: Survey
    unmapped: dict[str, int] = field(default_factory=dict)
    missing: tuple[Essential, ...] = ()


class Gaps:
    """Keys that no field is known for, and what is missing of address, user and URL, of one feed.

    Each is reported once. Forms are few: a source's records come in those that are known.
    """

    def __init__(self, feed: str) -> None:
        self._feed = feed
        self._forms: dict[tuple[str, str], _Form] = {}

    def look(
        self, source: str, form: Input, feed_format: FeedFormat, data: bytes, rendered: Rendered
    ) -> None:
        """Look at a slice of a source's records."""
        known = self._forms.get((source, form.name))
        if known is None:
            known = self._forms[source, form.name] = _Form(Survey(form, feed_format))
        if rendered.unmapped:
            new = add_unmapped(known.unmapped, rendered.unmapped)
            if new:
                events.keys_unmapped(self._feed, source, ", ".join(new), len(new))
        if rendered.lines or rendered.filtered:  # else a sender tries out the connection, say
            known.survey.look(data, rendered.records[:_LOOKED_AT])
        if known.survey.missing != known.missing:
            self._report(source, form, known)

    def _report(self, source: str, form: Input, known: _Form) -> None:
        known.missing = known.survey.missing
        if known.missing:
            events.fields_missing(self._feed, source, form.name, listed(known.missing))
        else:
            events.fields_stated(self._feed, source, form.name)

    def readings(self) -> Iterator[GapsReading]:
        """Yield what there is to know, for each form of a source that has a gap."""
        for (source, form), known in self._forms.items():
            if known.unmapped or known.missing:
                yield GapsReading(
                    source=source,
                    form=form,
                    unmapped=dict(known.unmapped),
                    missing=tuple(str(each) for each in known.missing),
                )
