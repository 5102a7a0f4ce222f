"""Which settings a reload can't change: their parts live as long as the process."""

from operator import attrgetter

from nss.config.model import Config

KEPT_UNTIL_RESTART = (
    "spool",
    "service.control_socket",
    "service.metrics_listen",
    "service.state_directory",
    "service.threads",
    "portal",
)
"""Sections and settings."""


def sections_needing_restart(old: Config, new: Config) -> list[str]:
    """Return which of `KEPT_UNTIL_RESTART` differ."""
    return [name for name in KEPT_UNTIL_RESTART if attrgetter(name)(old) != attrgetter(name)(new)]


def settings_needing_restart(old: Config, new: Config) -> list[str]:
    """Return the key paths of what differs and can't be changed by a reload."""
    before = {held.key: held.value for held in old.settings()}
    after = {held.key: held.value for held in new.settings()}
    found = []
    for name in sections_needing_restart(old, new):
        keys = dict.fromkeys(key for key in (*before, *after) if needs_restart(key, name))
        found += [key for key in keys if before.get(key, ...) != after.get(key, ...)] or [name]
    return found


def needs_restart(key: str, *names: str) -> bool:
    """Return whether a setting is one of `names`, by default of `KEPT_UNTIL_RESTART`."""
    return any(key == name or key.startswith(f"{name}.") for name in names or KEPT_UNTIL_RESTART)
