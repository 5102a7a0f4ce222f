"""Keys of records that no field is known for, counted by name within bounds."""

from collections.abc import Iterable, Mapping, MutableMapping

from formats.values import clean

MAX_KEYS = 64
MAX_KEY_CHARS = 64
FURTHER_KEYS = "..."
"""The name under which all keys beyond `MAX_KEYS` are counted."""


def count_unmapped(counts: MutableMapping[str, int], keys: Iterable[str], records: int) -> None:
    """Count keys, as they stand in records, that each of so many records has.

    Those that get the same name are counted one by one.
    """
    for key in dict.fromkeys(keys):
        add_unmapped(counts, {clean(key[:MAX_KEY_CHARS])[:MAX_KEY_CHARS]: records})


def add_unmapped(counts: MutableMapping[str, int], more: Mapping[str, int]) -> list[str]:
    """Add counts to others; returns the names that are new. None of the counts is lost."""
    new = []
    for key, count in more.items():
        if key in counts:
            counts[key] += count
        elif key != FURTHER_KEYS and len(counts) - (FURTHER_KEYS in counts) < MAX_KEYS:
            counts[key] = count
            new.append(key)
        else:
            counts[FURTHER_KEYS] = counts.get(FURTHER_KEYS, 0) + count
    return new


def unmapped_texts(counts: Mapping[str, int]) -> list[str]:
    """Return each name with its count, for people: `colour (1,200)`."""
    return [
        f"{'others' if key == FURTHER_KEYS else key} ({count:,})" for key, count in counts.items()
    ]
