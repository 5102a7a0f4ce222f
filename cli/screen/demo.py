"""The demonstration drawn: the way of records with rates, lines that arrived, the account."""

import shlex
from collections.abc import Iterator, Sequence

from rich.text import Text

from cli.screen.cells import GAP, padded, shortened, wrapped
from cli.screen.grid import Row, fitted
from cli.screen.wording import count_text, rate_text
from nss.lab.demo import Demo, Progress
from nss.lab.discovery import Discovery, Traffic
from nss.wording import duration_text, harmless, size_text

_ARROW = " > "
_STOP_CELLS = 9, 14
"""A stop of the way has at least, and at most, so many cells."""

_INDENT = "  "
_LIVE_APPS = 5
_SAMPLE_LINES = 3
_SAMPLES = 2


def live(demo: Demo, width: int) -> Text:
    """Return what is shown while it runs."""
    progress = demo.progress
    head = f"nss demo{GAP}{progress.elapsed_secs:.0f} s of {demo.seconds:.0f} s"
    lines = [Text(head, style="bold"), Text(), *_way(progress, width), Text()]
    if progress.samples:
        lines += [Text("what the collector gets", style="bold")]
        lines += _sample(progress.samples[-1], width)
        lines += [Text()]
    return Text("\n").join([*lines, *_apps(demo.discovery, width)])


def progress_line(progress: Progress) -> str:
    """Return how far it has come, for a pipe."""
    return (
        f"{progress.elapsed_secs:4.0f} s{GAP}{count_text(progress.sent)} sent, "
        f"{count_text(progress.received)} arrived, {rate_text(progress.received_per_sec)}"
    )


def ended(demo: Demo, width: int) -> Text:
    """Return what is shown at the end."""
    progress = demo.progress
    lines = [*_title(demo, width), Text(), *_way(progress, width), Text()]
    if progress.samples:
        lines += [Text("what the collector got, for example", style="bold")]
        for sample in list(progress.samples)[-_SAMPLES:]:
            lines += _sample(sample, width)
        lines += [Text()]
    lines += [*_apps(demo.discovery, width), Text(), *_account(demo, width), Text()]
    return Text("\n").join([*lines, *_next(width)])


def verdict(demo: Demo) -> str:
    """Return in one sentence what became of all records."""
    progress = demo.progress
    unexpected = progress.unexpected if demo.sample is None else 0
    share = f"{count_text(progress.lost)} of {count_text(progress.sent)}"
    faults = (
        (not progress.finished, "It did not come to its end."),
        (progress.lost > 0, f"Not all that was sent arrived: {share} are lost."),
        (progress.lost, f"Lines that arrived twice, or were never sent: {-progress.lost:,}."),
        (
            progress.malformed,
            f"Lines that arrived and are not well-formed LEEF: {progress.malformed:,}.",
        ),
        (unexpected > 0, f"Records rejected beyond those made for it: {unexpected:,}."),
        (unexpected, f"Records made to be rejected that were not: {-unexpected:,}."),
        (not progress.sent, "There are no records in the file."),
        (not progress.received, "None of your records arrived: all of them were rejected."),
        (
            progress.rejected,
            "All that was sent arrived, but for what was rejected. Nothing is lost.",
        ),
    )
    return next((text for is_so, text in faults if is_so), "All that was sent arrived.")


def _title(demo: Demo, width: int) -> Iterator[Text]:
    what = "made-up records" if demo.sample is None else "your records"
    secs = duration_text(demo.progress.elapsed_secs)
    title = f"{secs} of {what}, all on this machine"
    lines = wrapped(title, width, f"nss demo{GAP}", _INDENT)
    yield from (Text(line, style="bold") for line in lines)


def _way(progress: Progress, width: int) -> Iterator[Text]:
    """Yield the stops of a record, each with its rate and its count."""
    stops = (
        ("sender", rate_text(progress.sent_per_sec), count_text(progress.sent)),
        ("source", rate_text(progress.accepted_per_sec), count_text(progress.accepted)),
        ("spool", f"{count_text(progress.pending)} wait", ""),
        ("feed", rate_text(progress.delivered_per_sec), count_text(progress.delivered)),
        ("collector", rate_text(progress.received_per_sec), count_text(progress.received)),
    )
    least, most = _STOP_CELLS
    cells = min(most, (width + len(_ARROW)) // len(stops) - len(_ARROW))
    if cells < least:
        for name, *pair in stops:
            line = padded(name, least) + "".join(padded(each, most, right=True) for each in pair)
            yield Text(shortened(line, width).rstrip())
        return
    names, *numbers = zip(*stops, strict=True)
    yield Text(_ARROW.join(padded(name, cells, right=True) for name in names), style="bold")
    for row in numbers:
        aligned = (padded(cell, cells, right=True) for cell in row)
        yield Text((" " * len(_ARROW)).join(aligned).rstrip())


def _sample(line: bytes, width: int) -> Iterator[Text]:
    """Yield a line as it came, cut; its tabs show as spaces."""
    text = harmless(line.decode(errors="backslashreplace"), kept="\t").replace("\t", GAP)
    shown = list(wrapped(text, width, _INDENT, _INDENT * 2))
    cut = shown[:_SAMPLE_LINES]
    if len(shown) > len(cut):
        cut[-1] = shortened(f"{cut[-1]} {shown[len(cut)].strip()}", width)
    yield from (Text(each, style="cyan") for each in cut)


def _apps(discovery: Discovery, width: int) -> Iterator[Text]:
    yield from traffic("cloud app", "users", discovery.top_apps(_LIVE_APPS), width)


def traffic(
    name: str, partners: str, entries: Sequence[tuple[str, Traffic]], width: int
) -> Iterator[Text]:
    """Yield a table of apps or users, those with the most bytes first."""
    rows: list[Row] = [(name, partners, "records", "upload", "download")]
    rows += [
        (
            harmless(each),
            count_text(len(found.partners)),
            count_text(found.transactions),
            size_text(found.upload_bytes),
            size_text(found.download_bytes),
        )
        for each, found in entries
    ]
    grid = fitted(rows, width, texts=1, spare=(1, 3))
    for number, row in enumerate(rows):
        yield grid.drawn(row, "row" if number else "")


def _account(demo: Demo, width: int) -> Iterator[Text]:
    progress = demo.progress
    planned = "on purpose, to show that each is kept with its reason:"
    said = planned if demo.sample is None and progress.rejected == progress.bad else "because:"
    rows = (
        ("sent", progress.sent, ""),
        ("arrived", progress.received, ""),
        ("rejected", progress.rejected, said if progress.rejected else ""),
        *((f"{_INDENT}{each.reason}", each.records, None) for each in progress.reasons),
        ("malformed", progress.malformed, "lines that are not LEEF" if progress.malformed else ""),
        *(() if not progress.shortened else (("shortened", progress.shortened, _CUT),)),
        ("lost", progress.lost, ""),
    )
    for name, number, note in rows:
        if note is None:
            first = f"{count_text(number):>19}{GAP}"
            yield from map(Text, wrapped(harmless(name), width, first, " " * len(first)))
        else:
            first = f"{name:9}{count_text(number):>10}"
            yield from map(Text, wrapped(note, width, first + GAP, " " * (len(first) + len(GAP))))
    yield Text()
    style = "bold green" if demo.is_good else "bold red"
    yield from (Text(line, style=style) for line in wrapped(verdict(demo), width))
    if demo.is_useless:
        tip = f"Try: nss explain {shlex.quote(str(demo.sample))}"
        yield from (Text(line) for line in wrapped(harmless(tip), width, "", _INDENT))


_CUT = "to fit into a datagram: URL, referrer or user agent were cut"

_COMMANDS = (
    ("nss demo --mcas", "sign in, upload, block an app"),
    ("nss demo --portal", "the portal, on made-up data"),
    ("nss demo --sample FILE", "your own records"),
    ("nss render FILE", "your records as lines of QRadar"),
    ("sudo nss configure", "set this machine up"),
)


def _next(width: int) -> Iterator[Text]:
    yield Text("next", style="bold")
    cells = max(len(command) for command, _ in _COMMANDS)
    for command, what in _COMMANDS:
        first = f"{_INDENT}{command:{cells}}{GAP}"
        yield from map(Text, wrapped(what, width, first, " " * len(first)))
