"""How the facts of an event are written, for people and for the journal."""

import json


def fact_text(value: object) -> str:
    """Return the text of a fact: lists with commas, nothing in Python's own notation."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(fact_text, value))
    return str(value)


def quoted(value: object) -> str:
    """Return the text of a fact for a line `key=value`, in quotes where it needs them.

    What is hostile in it can't break the line or steer a terminal: it is escaped as in JSON.
    """
    text = fact_text(value)
    plain = text.isprintable()
    if plain and text and not any(letter in text for letter in ' "\\'):
        return text
    written = json.dumps(text, ensure_ascii=not plain)
    return written.replace("\x7f", "\\u007f")  # the one control character that JSON leaves
