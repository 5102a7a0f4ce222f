"""The section of the sync: unsanctioned apps from MCAS into a URL category, or into a file."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from nss.config.kinds import Kind, seconds, texts_that, values, whole_number
from nss.config.setting import Example, Role, Rule
from nss.config.values import line_text

_CATEGORY = re.compile(r"[A-Za-z0-9_.() -]{1,255}")
_MAX_WORDS = 64


def category_name() -> Kind:
    """Return the kind of names of URL categories."""
    return texts_that(
        "1 to 255 letters, digits, blanks and _ - . ( )",
        lambda text: _CATEGORY.fullmatch(text) and text == text.strip(),
    )


def command() -> Kind:
    """Return the kind of programs with their arguments."""

    def read(words: list[object]) -> tuple[str, ...] | None:
        texts = tuple(word for word in words if isinstance(word, str) and "\0" not in word)
        is_command = bool(texts) and texts[0].startswith("/")
        return texts if is_command and len(texts) == len(words) <= _MAX_WORDS else None

    return values(
        "a list of texts, the first of them the whole path of a program",
        read,
        of=list,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncConfig:
    """The way back: apps that are unsanctioned in MCAS are blocked at the gateway.

    It runs in the service as soon as there are credentials for MCAS, and by
    `nss sync-unsanctioned`.
    """

    target: Literal["auto", "zia", "file", "off"] = "auto"
    """Where the URLs go: a URL category of ZIA, a file for another proxy or DNS server, nowhere.
    `auto` is the category when credentials for ZIA are stored, and the file otherwise."""
    list: Literal["script", "json"] = "script"
    """Which list of MCAS is read: the block script for Zscaler, or the pages of JSON."""
    category: Annotated[str, category_name()] = "MS Defender Unsanctioned Apps"
    """The name of the URL category; it is created if need be. URLs that people added to it stay."""
    retain_parent_category: bool = True
    """Whether new URLs stay in their predefined category as well. With `false` they leave it, and
    a rule that blocks the predefined category does not block them any more."""
    exclusive: bool = False
    """Whether URLs that people added to the category are removed."""
    max_shrink_percent: Annotated[int, whole_number(0, 100, "percent")] = 50
    """A list that is shorter than the one before by more than this changes nothing without
    `nss sync-unsanctioned --allow-shrink`; nor does an empty list."""
    interval_minutes: Annotated[int, whole_number(5, 1440, "minutes")] = 120
    """How often the service syncs; a run may start up to a twentieth of this earlier."""
    deadline_minutes: Annotated[int, whole_number(1, 240, "minutes")] = 30
    """How long a run may take, with everything that is tried again."""
    urls_per_request: Annotated[int, whole_number(1, 25_000, "URLs")] = 1000
    """At most this many URLs are sent to ZIA in one request."""
    max_url_chars: Annotated[int, whole_number(100, 1024, "characters")] = 1024
    """Longer URLs are set aside."""
    file_path: Annotated[
        Path | None,
        Role.LIST,
        Example('"/etc/squid/unsanctioned.txt"', "`unsanctioned.txt` in the state directory"),
    ] = None
    """The file; nothing else may write to it."""
    file_format: Literal["plain", "squid", "hosts", "rpz", "json"] = "plain"
    """The format of the file: a URL a line; domains for Squid's `dstdomain`; a hosts file; a
    response policy zone for a DNS server; JSON for a PAC file or a program. What a format can't
    express is set aside."""
    reload_command: Annotated[
        tuple[str, ...] | None,
        command(),
        Example('["/usr/bin/systemctl", "reload", "squid"]', "none"),
    ] = None
    """What is run after the file has changed: a program and its arguments, without a shell, as the
    user that NSS runs as."""
    reload_secs: Annotated[float, seconds(1, 600)] = 30.0
    """How long that may take."""
    synced_by: Annotated[
        str | None,
        line_text(1, 100),
        Rule(
            lambda table: table.get("target") != "off",
            'needs target = "off" as well: two that sync undo each other\'s work',
            'Needs `target = "off"`.',
        ),
        Example('"nss1.example.com"', "none"),
    ] = None
    """Which machine of several syncs, for `nss status` of the others. Nobody asks that machine."""
