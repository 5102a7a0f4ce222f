"""Secrets for commands: from a file, from standard input, or from a variable; never an argument."""

import os
import sys
from pathlib import Path

from cli.dialogue import Dialogue
from nss.errors import UsageError
from nss.files.private import EVERYONE, FileFault, OpenToOthers, read_bounded
from nss.wording import error_text

MAX_FILE_BYTES = 64 << 10


def secret_text(command: str, name: str | None, variable: str) -> str | None:
    """Return a secret from the file `name`, `-` for standard input, or without one a variable.

    `command` begins the `UsageError` for a file that can't be read.
    """
    if name is None:
        return os.environ.get(variable)
    if name == "-":
        if sys.stdin.isatty():
            with Dialogue() as dialogue:
                return dialogue.ask("Secret", hidden=True)
        return _line(sys.stdin.readline(MAX_FILE_BYTES))
    path = Path(name)
    try:
        data = read_bounded(path, MAX_FILE_BYTES, forbidden=EVERYONE, pipe=True)
    except OSError as error:
        raise UsageError(f"{command}: {error_text(error)} ({path})") from None
    except OpenToOthers:
        raise UsageError(
            f"{command}: everybody may read the secret ({path})", tip=f"chmod o= {path}"
        ) from None
    except FileFault as fault:
        raise UsageError(f"{command}: the file {fault} ({path})") from None
    return _line(data.decode("utf-8", "replace"))


def _line(text: str) -> str:
    """Return a secret without the end of its line, and without the mark that some editors set."""
    return text.removeprefix("\ufeff").rstrip("\r\n")
