"""The proxy of the appliance: of uploads and the sync in `nss.toml`, and of apt."""

from pathlib import Path

import typer

from nss.appliance.proxy import apt_proxy, store_apt_proxy
from nss.config import load as configuration
from nss.errors import NssError
from nss.setup.configuration import replace_file, written
from nss.setup.proxies import with_proxy


def proxy_now(config: Path) -> str | None:
    """Return the proxy in the configuration, or that of apt where nothing is configured yet."""
    try:
        found = written(config)
    except NssError:
        return apt_proxy()
    return apt_proxy() if found is None else found.mcas.proxy


def keep_proxy(config: Path, proxy: str | None) -> None:
    """Put a proxy into the configuration, if there is one, and have apt use it. Raises `NssError`.

    The service takes it over with `nss reload`.
    """
    if written(config) is not None:
        text = configuration.read_text(config)
        replace_file(config, with_proxy(text, proxy, config.absolute().parent))
        typer.echo(f"The proxy is in {config}; if the service runs: sudo nss reload", err=True)
    store_apt_proxy(proxy)
