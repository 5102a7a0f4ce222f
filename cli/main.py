"""The `nss` command line: arguments in, exit codes of sysexits.h out.

What reads options and prints help takes longer to import than the whole service, so `nss run`
without further ado does without.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path

from nss.config import DEFAULT_CONFIG
from nss.errors import NssError, UsageError

TYPER_USAGE_ERROR = 2
"""What typer ends with when the command line makes no sense; none of our exit codes is 2."""

COMPLETING = "_NSS_COMPLETE"
"""Is in the environment when a shell asks for completions."""


def main() -> None:
    """Run the command line; planned errors become a sentence on stderr and an exit code."""
    if isinstance(sys.stdout, TextIOWrapper):  # a name may have letters that a locale has not
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        config = plain_run(sys.argv[1:], os.environ)
        if config is None:
            from cli.app import app

            app(prog_name="nss")
        else:
            from nss.service.beginning import run

            sys.exit(run(config))
    except SystemExit as end:
        sys.exit(UsageError.exit_code if end.code == TYPER_USAGE_ERROR else end.code)
    except NssError as error:
        from cli.output import error_lines

        sys.stderr.write(f"nss: {error_lines(error)}\n")
        sys.exit(error.exit_code)
    except OSError as error:
        from cli.output import is_of_output, unwritable

        if not is_of_output(error):
            raise
        full = unwritable(error)
        sys.stderr.write(f"nss: {full}\n")
        sys.exit(full.exit_code)


def plain_run(arguments: Sequence[str], environ: Mapping[str, str]) -> Path | None:
    """Return the configuration of `nss run`; `None` for everything else that may be asked for."""
    if COMPLETING in environ:
        return None
    match arguments:
        case ["run"]:
            return DEFAULT_CONFIG
        case ["run", "-c" | "--config", file] if file and not file.startswith("-"):
            return Path(file)
    return None


if __name__ == "__main__":
    main()
