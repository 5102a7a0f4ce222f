"""Single sections of a configuration file that may be wrong elsewhere, or not written yet."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nss.config import DEFAULT_CONFIG, load
from nss.config.load import ConfigProblems
from nss.config.model import McasConfig, ServiceConfig, ZiaConfig
from nss.config.portal import PortalConfig
from nss.config.reading import Reading
from nss.config.sync import SyncConfig
from nss.errors import InputMissing


@dataclass(frozen=True, slots=True)
class Sections:
    """What needs neither sources nor feeds."""

    service: ServiceConfig
    mcas: McasConfig
    zia: ZiaConfig
    sync: SyncConfig
    portal: PortalConfig
    tables: Mapping[str, Any]
    """The whole file, as it is written."""


def read_sections(path: Path, *keys: str, may_be_missing: bool = False) -> Sections:
    """Return sections of which `keys` are right: `service.control_socket`, or `mcas` for all of it.

    So commands work while the rest of the file is being changed. With `may_be_missing`, the usual
    file that is not there has every default. Raises `InputMissing`, and `ConfigError` when the file
    is not TOML or a key is wrong.
    """
    tables: Mapping[str, Any] = {}
    try:
        tables = tomllib.loads(load.read_text(path))
    except InputMissing as error:
        is_missing = isinstance(error.__cause__, FileNotFoundError)
        if not (is_missing and may_be_missing and path == DEFAULT_CONFIG):
            raise
    except (ValueError, RecursionError):
        load.load(path)  # raises what is wrong, with all of it
        raise
    reading = Reading(path.absolute().parent)
    service = reading.section(ServiceConfig, tables, "service")
    mcas = reading.section(McasConfig, tables, "mcas")
    zia = reading.section(ZiaConfig, tables, "zia")
    sync = reading.section(SyncConfig, tables, "sync")
    portal = reading.section(PortalConfig, tables, "portal")
    known = {*keys, *(key.partition(".")[0] for key in keys)}
    problems = [
        problem
        for problem in reading.problems
        if problem.key in known or problem.key.rpartition(".")[0] in keys
    ]
    if problems:
        raise ConfigProblems(problems, str(path))
    return Sections(service, mcas, zia, sync, portal, tables)
