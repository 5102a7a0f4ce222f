"""The configuration file that set-up writes: read back, compared with the one before, replaced."""

import contextlib
import grp
import os
import tomllib
from pathlib import Path

from nss.config import load as configuration
from nss.config.load import ConfigProblems
from nss.config.model import Config
from nss.errors import ConfigError, InputMissing, UsageError
from nss.files.private import FileFault, read_bounded, write_private
from nss.mcas.access import audit_log
from nss.setup.effective import effective
from nss.setup.template import Choices, choices_of, repeated, text_of
from nss.wording import error_text

GROUP = "nss"
SAMPLE = Path("/usr/share/doc/nss-streamer/examples/nss.toml")
"""What the package installs; nobody's choices."""

_MODE = 0o640
_SUDO = "run the command with sudo"


def written(path: Path) -> Config | None:
    """Return what a file says now, `None` if nobody has written it yet.

    Raises `ConfigError` and `InputMissing` for a file that can't be used.
    """
    try:
        is_sample = SAMPLE.exists() and path.exists()
        if is_sample and configuration.read_text(path) == configuration.read_text(SAMPLE):
            return None
        return configuration.load(path)
    except InputMissing:
        if path.exists():
            raise
        return None
    except OSError as error:
        reason = error_text(error)
        raise InputMissing(f"configure: can't be read: {reason} ({path})", tip=_SUDO) from None
    except ConfigProblems as problems:
        raise ConfigError(
            f"{problems}".partition("\nTry: ")[0],
            tip=f"fix it, or set it aside: mv {path} {path}.wrong",
        ) from None


def check_kept(path: Path, before: Config) -> None:
    """Raise `UsageError` with the keys of a file that no choices can express."""
    base = path.absolute().parent
    old = effective(before, tomllib.loads(configuration.read_text(path)))
    text = text_of(choices_of(before))
    new = effective(configuration.parse(text, base), tomllib.loads(text))
    lost = sorted(_settings(old) - _settings(new))
    if lost:
        raise UsageError(
            f"configure: the file has more than is asked for: {', '.join(lost[:8])} ({path})",
            tip="edit it, and run nss check; or give --force: it is kept beside the new one",
        )


def composed(path: Path, choices: Choices) -> str:
    """Return the text of a configuration file at `path`, which parses. Raises `NssError`."""
    if not choices.targets:
        raise UsageError("configure: records have to go somewhere", tip="give --to")
    twice = repeated(choices.targets)
    if twice is not None:
        raise UsageError(
            f"configure: records would go to the same place twice: {twice}",
            tip="give each place once; one feed delivers every record to it",
        )
    text = text_of(choices)
    configuration.parse(text, path.absolute().parent, origin="the answers")
    return text


def replace_file(path: Path, text: str) -> None:
    """Put a composed text in the place of a file, which stays beside it as `.old`.

    Root keeps the file and its group is the service's. Raises `ConfigError`.
    """
    try:
        if path.exists():
            old = read_bounded(path, configuration.MAX_BYTES)
            _write(path.with_name(f"{path.name}.old"), old)
        _write(path, text.encode())
    except (OSError, FileFault) as error:
        reason = error_text(error) if isinstance(error, OSError) else f"it {error}"
        raise ConfigError(f"configure: can't be written: {reason} ({path})", tip=_SUDO) from None
    service = configuration.parse(text, path.absolute().parent).service
    audit_log(service.state_directory).write("configure", "stored", path=str(path))


def _write(path: Path, data: bytes) -> None:
    owner = None
    if os.geteuid() == 0:
        with contextlib.suppress(KeyError):  # the package is not installed
            owner = 0, grp.getgrnam(GROUP).gr_gid
    write_private(path, data, owner=owner, mode=_MODE)


def _settings(tables: dict[str, object], where: str = "") -> set[str]:
    """Return every key with its value, as texts: names of sources and feeds don't matter."""
    found: set[str] = set()
    for key, value in tables.items():
        name = f"{where}.{key}" if where else key
        if isinstance(value, dict):
            found |= _settings(value, where if where in {"sources", "feeds"} else name)
        elif not name.endswith(".sources"):
            found.add(f"{name} = {value}")
    return found
