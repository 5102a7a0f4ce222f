"""Other programs, run with limits on their time and output."""

import os
import select
import subprocess
import time

_CHUNK_BYTES = 64 * 1024
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "PYTHONPATH")


class RanTooLong(Exception):  # noqa: N818 - it is what happened
    """A program was ended because it took too long."""


def output_of(
    *command: str, secs: float, max_bytes: int, owner: tuple[int, int] | None = None
) -> tuple[int | None, bytes]:
    """Return the exit code and what a program prints, its errors too.

    After `max_bytes` it is ended, and the exit code is `None`. With `owner`, (user, group), root
    runs it as that user, who learns nothing of root's environment. Raises `RanTooLong`, and
    `OSError` for a program that can't be started.
    """
    environ = dict(os.environ)
    if owner is not None:
        environ = {name: environ[name] for name in _KEPT_VARIABLES if name in environ}
    process = subprocess.Popen(  # noqa: S603 - ours, and the system's own
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=None if owner is None else "/",
        env=environ,
        user=None if owner is None else owner[0],
        group=None if owner is None else owner[1],
        extra_groups=None if owner is None else [],
    )
    with process:
        try:
            data, is_whole = _read(process, time.monotonic() + secs, max_bytes)
            return (process.wait(secs) if is_whole else None), data
        except subprocess.TimeoutExpired:
            raise RanTooLong(f"it took more than {secs:.0f} s") from None
        finally:
            process.kill()


def _read(
    process: "subprocess.Popen[bytes]", deadline: float, max_bytes: int
) -> tuple[bytes, bool]:
    """Return the output, and whether it is all; its end is not waited for beyond a deadline.

    A child of the program may keep the output open after the program has ended.
    """
    if process.stdout is None:
        return b"", True
    number, data = process.stdout.fileno(), bytearray()
    while len(data) <= max_bytes:
        ready, _, _ = select.select([number], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise subprocess.TimeoutExpired(process.args, 0)
        chunk = os.read(number, _CHUNK_BYTES)
        if not chunk:
            return bytes(data), True
        data += chunk
    return bytes(data[:max_bytes]), False
