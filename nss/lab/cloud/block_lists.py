"""Lists of the blocks that a blob is to consist of.

    <?xml version="1.0" encoding="utf-8"?>
    <BlockList><Latest>BASE64</Latest><Committed>BASE64</Committed>...</BlockList>

`Uncommitted` is a block that was put since the last list, `Committed` one of the blob as it is,
`Latest` the first of both. Source: Microsoft's "Put Block List".
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

MAX_BLOCKS = 50_000

_MAX_ID_BYTES = 64
_ENTRY = r"<(Latest|Committed|Uncommitted)>\s*([A-Za-z0-9+/=]*)\s*</\1>"
_LIST = re.compile(
    rf"\ufeff?\s*(?:<\?xml[^>]*\?>)?\s*<BlockList>(?:\s*{_ENTRY})*\s*</BlockList>\s*"
    r"|\ufeff?\s*(?:<\?xml[^>]*\?>)?\s*<BlockList\s*/>\s*"
)
_ENTRIES = re.compile(_ENTRY)


def is_block_id(text: str) -> bool:
    """Return whether a block may be called so: at most 64 bytes in base64."""
    try:
        return 0 < len(base64.b64decode(text, validate=True)) <= _MAX_ID_BYTES
    except (binascii.Error, ValueError):
        return False


def parse(body: bytes) -> list[tuple[str, str]] | None:
    """Return the kind and ID of each entry, `None` for what is no list."""
    text = body.decode("utf-8", "replace")
    if not _LIST.fullmatch(text):
        return None
    return [(found[1], found[2]) for found in _ENTRIES.finditer(text)]


def choose(
    wanted: Sequence[tuple[str, str]],
    uncommitted: Mapping[str, Path],
    committed: Mapping[str, Path],
) -> list[tuple[str, Path]] | None:
    """Return the blocks that a list names, `None` where one is not there or too many are named."""
    if len(wanted) > MAX_BLOCKS:
        return None
    pools = {"Uncommitted": uncommitted, "Committed": committed}
    pools["Latest"] = {**committed, **uncommitted}
    chosen = [(name, pools[kind].get(name)) for kind, name in wanted]
    found = [(name, block) for name, block in chosen if block is not None]
    return found if len(found) == len(chosen) else None
