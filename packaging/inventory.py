"""Which packages are in the root of an image, read from its tar."""

import re
import tarfile
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

_STATUS = "./var/lib/dpkg/status"
_METADATA = re.compile(r"\./opt/nss-streamer/lib/.*/[^/]+\.dist-info/METADATA")


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a root consists of."""

    debian: list[dict[str, str]]
    """The fields of each package, by dpkg's names, in the order of the packages' names."""
    python: list[tuple[str, str]]
    """Name and version of each package of our environment, whichever Python it is for."""


def read(tar: Path) -> Inventory:
    """Return what is in a root."""
    debian: list[dict[str, str]] = []
    python: list[tuple[str, str]] = []
    parser = HeaderParser()
    with tarfile.open(tar) as archive:
        for entry in archive:
            is_status = entry.name == _STATUS
            if not is_status and not _METADATA.fullmatch(entry.name):
                continue
            file = archive.extractfile(entry)
            if file is None:
                continue
            if is_status:
                paragraphs = file.read().decode().strip().split("\n\n")
                debian = [dict(parser.parsestr(each).items()) for each in paragraphs]
            else:
                about = parser.parsestr(file.read().decode())
                python.append((str(about["Name"]), str(about["Version"])))
    return Inventory(sorted(debian, key=lambda each: each["Package"]), sorted(set(python)))
