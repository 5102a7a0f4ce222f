"""What starts the engine: now, beside the session that asked for it, and after a power cut."""

import contextlib
import shutil
import subprocess
from pathlib import Path

from nss.updates.plan import FOLDER, put, sync_folder

UNIT = "nss-update.service"
_RESUME = "nss-update-resume.service"
_SYSTEMD = Path("/etc/systemd/system")
_WANTS = _SYSTEMD / "multi-user.target.wants"
_BOOTED = Path("/run/systemd/system")

_RUN = """\
import sys
sys.path.insert(0, {folder!r})
from nss.updates.engine import main
main()
"""

_TEXT = """\
[Unit]
Description=Bring an update of NSS to its end that was cut off
After=local-fs.target network-online.target
Wants=network-online.target
ConditionPathExists={folder}/journal.json

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I {folder}/engine/run.py
StandardOutput=append:{folder}/log
TimeoutStartSec=infinity

[Install]
WantedBy=multi-user.target
"""


def copy_engine(folder: Path = FOLDER) -> None:
    """Copy what the engine needs, so that it works while the package is exchanged."""
    package = Path(__file__).parents[1]
    into = folder / "engine"
    shutil.rmtree(into, ignore_errors=True)
    (into / "nss/updates").mkdir(parents=True)
    shutil.copyfile(package / "__init__.py", into / "nss/__init__.py")
    shutil.copyfile(package / "errors.py", into / "nss/errors.py")
    for path in (package / "updates").glob("*.py"):
        if path.name != "planning.py":
            shutil.copyfile(path, into / "nss/updates" / path.name)
    put(into / "run.py", _RUN.format(folder=str(into)))


def begin(folder: Path = FOLDER) -> "subprocess.Popen[bytes]":
    """Start the engine, which no end of this session ends; what it prints goes to the log.

    The process that is returned ends with the engine. A killed engine is started again.
    """
    command = ["/usr/bin/python3", "-I", str(folder / "engine/run.py")]
    if not _BOOTED.is_dir():
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - ours
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
    subprocess.run(  # noqa: S603 - systemd's
        ["/usr/bin/systemctl", "reset-failed", UNIT], capture_output=True, check=False
    )
    options = [
        *("--quiet", "--wait", "--collect", f"--unit={UNIT}", "--service-type=exec"),
        *("--property=Restart=on-failure", "--property=RestartSec=1"),
        *("--property=StartLimitBurst=10", "--property=StartLimitIntervalSec=600"),
        *(f"--property=StandardOutput=append:{folder}/log", "--property=StandardInput=null"),
        f"--property=StandardError=append:{folder}/log",
    ]
    return subprocess.Popen(  # noqa: S603 - ours
        ["/usr/bin/systemd-run", *options, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def watch_over(folder: Path = FOLDER) -> None:
    """Have the next boot bring the update to its end. Raises `OSError`."""
    if not _BOOTED.is_dir():
        return
    put(_SYSTEMD / _RESUME, _TEXT.format(folder=folder))
    _WANTS.mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (_WANTS / _RESUME).symlink_to(_SYSTEMD / _RESUME)
    sync_folder(_WANTS)


def end_watch() -> None:
    """Take that back."""
    for path in (_WANTS / _RESUME, _SYSTEMD / _RESUME):
        with contextlib.suppress(OSError):
            path.unlink()
