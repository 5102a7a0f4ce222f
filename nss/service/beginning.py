"""The way into the service: what happens to the process before it is imported."""

import gc
from pathlib import Path


def run(path: Path) -> int:
    """Run the service of a configuration file in the foreground; return the exit code.

    Raises `nss.errors.NssError` when the configuration can't be used.
    """
    # To look for cycles among what is imported, and stays, is a sixth of the start;
    # `service.run` enables it again before anything runs.
    gc.disable()
    try:
        from nss.service import service

        return service.run(path)
    finally:
        gc.enable()
