"""What the status says of a reload that was refused: the first thing wrong, in one line."""

import time
from pathlib import Path

from nss.config.load import ConfigProblems
from nss.errors import NssError, ServiceError
from nss.service.running import Running
from nss.status.readings import RefusedReloadReading


class NeedsRestartError(ServiceError):
    """A reload can't put the file in force; a restart can."""


def note_refused(running: Running, path: Path, error: NssError) -> None:
    """Have the status mention that the file was refused, until one is put in force."""
    before = running.refused_reload
    why, more = in_one_line(error)
    running.refused_reload = RefusedReloadReading(
        path=str(path.absolute()),
        at=time.time() if before is None else before.at,
        why=why,
        more=more,
        starts=isinstance(error, NeedsRestartError),
    )


def in_one_line(error: NssError) -> tuple[str, int]:
    """Return the first thing that is wrong, and how many more are."""
    text = str(error.args[0])
    if not isinstance(error, ConfigProblems):
        return text.removeprefix("reload: ").partition("\n")[0], 0
    problems = [line.strip() for line in text.splitlines()[1:] if line.strip()]
    return problems[0], len(error.problems) - 1
