"""What can be chosen in the studio, and the draft that a form states."""

from dataclasses import dataclass, replace

from formats import presets
from formats.structure.guards import PROTECTIONS
from nss.admin.portal.view import Form
from nss.config.files import UnfitFile, format_of_file
from nss.config.model import Config, FeedConfig
from nss.config.values import AS_IT_CAME, AUTO, FormatChoice
from nss.errors import UsageError
from nss.setup.studio import Draft

MAX_CHARS = 200
"""Of what is typed on one line."""

_FEED, _PRESET, _SOURCE = "feed ", "preset ", "source "
_OWN = "own"

Options = list[tuple[str, str]]
"""Values and texts of a `<select>`."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices that a configuration leaves."""

    config: Config

    @property
    def formats(self) -> Options:
        """What can be loaded: formats of feeds, and presets."""
        feeds = [(_FEED + name, f"Format of feed {name}") for name in self._with_formats()]
        return [*feeds, *((_PRESET + name, f"Preset {name}") for name in presets.names())]

    @property
    def inputs(self) -> Options:
        """In which form the samples can be."""
        return [
            ("auto", "Recognise it"),
            ("json", "JSON with NSS field names"),
            (_OWN, "The format string above"),
            *((_SOURCE + name, f"Format of source {name}") for name in self._formats_of_sources()),
            *((_PRESET + name, f"Preset {name}") for name in presets.names()),
        ]

    @property
    def bases(self) -> Options:
        """What the format can be compared with."""
        return [("", "Nearest preset"), *((name, f"Preset {name}") for name in presets.names())]

    @property
    def feeds(self) -> Options:
        """Whose records can be taken."""
        return [(feed.name, f"feed {feed.name}") for feed in self.config.feeds]

    def draft(self, form: Form) -> Draft:
        """Return what a form states."""
        look = form["look"][:9]
        return Draft(
            format_string=form["format_string"],
            samples=form["samples"],
            input=self._input(form),
            zone=form["zone"][:MAX_CHARS].strip() or "GMT",
            source_zone=form["source_zone"][:MAX_CHARS].strip() or "GMT",
            escape_characters=form["escape_characters"][:MAX_CHARS],
            protect_separators=form["protect_separators"] == "yes",
            protect_for=tuple(name for name in PROTECTIONS if form[f"protect_{name}"] == "yes"),
            filter=form["filter"],
            compare=form["compare"],
            look=int(look) if look.isascii() and look.isdigit() else 0,
        )

    def named(self, draft: Draft) -> str:
        """Return the value of `inputs` that a draft has."""
        if draft.input.kind in {"auto", "json"}:
            return draft.input.kind
        if draft.input.kind == "preset":
            return _PRESET + draft.input.value
        for name, choice in self._formats_of_sources().items():
            if choice == draft.input:
                return _SOURCE + name
        return _OWN

    def loaded(self, draft: Draft, value: str) -> Draft:
        """Return a draft with the format of a preset or a feed, and with what else the feed says.

        Without a value it is that of the first feed. Reads files; raises `ConfigError` for one that
        can't be used, and `UsageError` for what can't be chosen.
        """
        kind, _, name = value.partition(" ")
        if kind == "preset" and name in presets.names():
            return _with_format(draft, presets.text(name))
        feeds = self._with_formats()
        if not value:
            return _of_first(draft, next(iter(feeds.values()), None))
        if kind == "feed" and name in feeds:
            return _of_feed(draft, feeds[name])
        raise UsageError("there is no such format to load")

    def _input(self, form: Form) -> FormatChoice:
        value = form["input"]
        kind, _, name = value.partition(" ")
        if value == "json":
            return FormatChoice("json")
        if value == _OWN:
            return FormatChoice("string", form["format_string"])
        if kind == "preset" and name in presets.names():
            return FormatChoice("preset", name)
        return self._formats_of_sources().get(name, AUTO) if kind == "source" else AUTO

    def _with_formats(self) -> dict[str, FeedConfig]:
        """Return the feeds that have a format string."""
        return {feed.name: feed for feed in self.config.feeds if feed.format != AS_IT_CAME}

    def _formats_of_sources(self) -> dict[str, FormatChoice]:
        """Return the formats of sources that are none of the other choices."""
        return {
            source.name: source.format
            for source in self.config.sources
            if source.format.kind in {"string", "file"}
        }


def _of_first(draft: Draft, feed: FeedConfig | None) -> Draft:
    try:
        return draft if feed is None else _of_feed(draft, feed)
    except UnfitFile:  # the person has not asked for it
        return draft


def _of_feed(draft: Draft, feed: FeedConfig) -> Draft:
    return replace(
        _with_format(draft, _text(feed.format)),
        zone=feed.zone,
        escape_characters=feed.escape_characters,
        protect_separators=feed.protect_separators,
        protect_for=feed.protect_for,
    )


def _with_format(draft: Draft, text: str) -> Draft:
    own = draft.input == FormatChoice("string", draft.format_string)
    found = FormatChoice("string", text) if own else draft.input
    return replace(draft, format_string=text, input=found)


def _text(choice: FormatChoice) -> str:
    if choice.kind == "preset":
        return presets.text(choice.value)
    return choice.value if choice.file is None else format_of_file(choice.file, for_source=False)
