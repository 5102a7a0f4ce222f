"""Where the background process of a configuration keeps its lock and its log."""

from pathlib import Path

from nss.background.process import Background
from nss.config import DEFAULT_CONFIG
from nss.config.model import ServiceConfig
from nss.errors import NssError
from nss.setup.sections import read_sections

LOG = Path("/var/log/nss/nss.log")


def background_of(config: Path) -> Background:
    """Return the background process of a configuration file. Raises `NssError`.

    Its lock is beside the control socket, or else in the state directory.
    """
    service = service_settings(config)
    beside = service.control_socket or service.state_directory / "nss.lock"
    log = LOG if config == DEFAULT_CONFIG else beside.with_name("nss.log")
    return Background(config.absolute(), beside.with_name("nss.lock"), log)


def service_settings(config: Path) -> ServiceConfig:
    """Return what matters here; a usual file that is no TOML must not keep NSS from a stop.

    Raises `NssError` for another file.
    """
    try:
        keys = ("control_socket", "state_directory", "drain_secs")
        return read_sections(config, *(f"service.{key}" for key in keys)).service
    except NssError:
        if config != DEFAULT_CONFIG:
            raise
        return ServiceConfig()
