"""A network configuration on trial: in force, and taken back by itself unless it is confirmed.

What is tried is a file in /run, which stands before the one that is kept in /etc. So the kept one
is never touched before it is confirmed, and a machine that boots again has forgotten the trial. A
timer of systemd ends it: it is started before anything is applied, and needs nobody: neither the
command, nor its terminal, nor Python.

The order of a confirmation makes each moment safe: the kept file is on the disk before the trial
goes, and the timer is the last. If it still runs off, it removes what is no longer needed.
"""

import shlex
import time
from pathlib import Path

from nss.appliance.machine import live, ran
from nss.appliance.network import Network, check_link, file_of, read_file
from nss.errors import ConfigError, InputMissing, NssError, UsageError
from nss.files.private import FileFault, read_bounded, remove_file, write_private
from nss.wording import error_text

KEPT = Path("/etc/systemd/network/05-nss.network")
TRIED = Path("/run/systemd/network/04-nss-trial.network")
UNIT = "nss-network-undo"
CONFIRM_SECS = 120
MIN_CONFIRM_SECS, MAX_CONFIRM_SECS = 5, 3600

APPLY_SECS = 20.0
"""How long an address may take to be on the interface; DHCP answers within a few."""

_MODE = 0o644
_MAX_BYTES = 64 << 10
_POLL_SECS = 0.2
_SUDO = "run the command with sudo"


def kept() -> tuple[str, Network] | None:
    """Return the interface and the network that were confirmed last; `None`: the image's DHCP.

    Raises `UsageError` for a file that was edited by hand, `InputMissing` for one that can't be
    read.
    """
    text = _read(KEPT)
    if text is None:
        return None
    try:
        return read_file(text)
    except UsageError as error:
        raise UsageError(
            f"{str(error).partition(chr(10))[0]} ({KEPT})",
            tip=f"edit it by hand, then networkctl reload; or set it aside: mv {KEPT} {KEPT}.old",
        ) from None


def tried() -> tuple[str, Network] | None:
    """Return the interface and the network that wait for a confirmation, if any do."""
    text = _read(TRIED)
    return None if text is None else read_file(text)


def check_free() -> None:
    """Raise `UsageError` if a network waits for its confirmation."""
    if TRIED.exists():
        raise UsageError(
            "network: another configuration waits for its confirmation",
            tip="sudo nss confirm-network, or sudo nss confirm-network --revert",
        )


def begin(link: str, network: Network, secs: int) -> float:
    """Put a network in force for `secs` seconds; returns their end, by `time.monotonic`.

    Raises `NssError`; then nothing has changed.
    """
    network.check()
    text = file_of(network, link)
    check_free()
    end = time.monotonic() + secs
    _start_timer(link, secs)
    try:
        _write(TRIED, text)
        ran("networkctl", "reload")
    except BaseException:
        revert()
        raise
    return end


def _start_timer(link: str, secs: int) -> None:
    undo = (
        f"rm -f {shlex.quote(str(TRIED))} && networkctl reload"
        f" && echo 'The network configuration was not confirmed: the one before is back.'"
    )
    ran(
        *("systemd-run", "--quiet", f"--unit={UNIT}", f"--on-active={secs}"),
        *("--timer-property=AccuracySec=100ms", "--service-type=oneshot", "--collect"),
        # It tries again until it is done.
        *("--property=Restart=on-failure", "--property=RestartSec=2"),
        *("--property=StartLimitIntervalSec=0", f"--property=SyslogIdentifier={UNIT}"),
        f"--description=Take back the network configuration of {check_link(link)}",
        *("/bin/sh", "-c", undo),
    )


def revert() -> bool:
    """Take back what is tried; returns whether anything was. Raises `NssError`.

    If it ends half-way, the timer does the rest.
    """
    is_tried = TRIED.exists()
    if is_tried:
        _remove(TRIED)
        ran("networkctl", "reload")
    _stop_timer()
    return is_tried


def confirm() -> tuple[str, Network]:
    """Keep what is tried, and return it. Raises `NssError`; then it is not kept.

    A trial that ended a moment ago can't be kept: the network is the one before.
    """
    text = _read(TRIED)
    if text is None:
        raise ConfigError(
            "network: no configuration waits for a confirmation: either it was confirmed, or the "
            "time was over and the one before is back",
            tip="sudo nss dump-config shows what is in force; sudo nss configure-network begins "
            "again",
        )
    found = read_file(text)
    _write(KEPT, text)
    _remove(TRIED)
    ran("networkctl", "reload")
    _stop_timer()
    return found


def is_kept(link: str, network: Network) -> bool:
    """Return whether this is what was confirmed last."""
    try:
        return kept() == (link, network)
    except NssError:
        return False


def arrived(link: str, network: Network, secs: float = APPLY_SECS) -> str | None:
    """Wait until an interface has its address. Returns what is missing, `None` when nothing is."""
    deadline = time.monotonic() + secs
    while (reason := _missing(link, network)) is not None and time.monotonic() < deadline:
        time.sleep(_POLL_SECS)
    return reason


def _missing(link: str, network: Network) -> str | None:
    found = live(link)
    if network.address is None:
        return None if found.addresses else f"{link} has got no address from DHCP"
    if str(network.address) not in found.addresses:
        return f"{link} does not have the address {network.address}; is it plugged in?"
    if network.gateway is not None and str(network.gateway) not in found.gateways:
        return f"{link} has no route to the gateway {network.gateway}"
    return None


def _stop_timer() -> None:
    state = ran("systemctl", "show", "--property=LoadState", "--value", f"{UNIT}.timer")
    if state.strip() == "loaded":
        ran("systemctl", "stop", f"{UNIT}.timer")


def _read(path: Path) -> str | None:
    try:
        return read_bounded(path, _MAX_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputMissing(f"network: {error_text(error)} ({path})", tip=_SUDO) from None
    except FileFault as fault:
        raise InputMissing(f"network: it {fault} ({path})") from None


def _write(path: Path, text: str) -> None:
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.parent.chmod(0o755)  # networkd reads as a user of its own, whatever umask is here
        write_private(path, text.encode(), owner=(0, 0), mode=_MODE)
    except OSError as error:
        raise ConfigError(f"network: {error_text(error)} ({path})", tip=_SUDO) from None


def _remove(path: Path) -> None:
    try:
        remove_file(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"network: {error_text(error)} ({path})", tip=_SUDO) from None
