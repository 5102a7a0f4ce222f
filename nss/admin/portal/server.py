"""The portal's end of the network: from its settings to pages that are served."""

import ssl
from pathlib import Path

from nss.addresses import host_port, listener
from nss.admin.local_server import LocalServer
from nss.admin.operations import Operations
from nss.admin.portal.app import PortalApp
from nss.config.model import Config
from nss.errors import ServiceError
from nss.setup.portal_users import Role
from nss.tls import server_context
from nss.wording import error_text

MAX_CONNECTIONS = 96
MAX_CONNECTIONS_EACH = 48
"""Of one address: a browser keeps six at a time, and one more for each live page."""

_BACKLOG = 64


class PortalServer:
    """Serves the portal of `operations` as `[portal]` says; `path` is the configuration file."""

    def __init__(self, config: Config, path: Path, operations: Operations) -> None:
        self.bound_port: int | None = None
        """The port listened at, which is the address's unless that is 0."""
        self._config = config
        self._path = path
        self._operations = operations
        self._app: PortalApp | None = None
        self._server: LocalServer | None = None

    async def start(self) -> None:
        """Listen. Raises `NssError` when the address or the certificate can't be used."""
        settings = self._config.portal
        assert settings.listen is not None  # noqa: S101 - or there is no portal
        context = _context(self._config)
        try:
            listening = listener(*settings.listen, _BACKLOG)
        except OSError as error:
            raise ServiceError(
                f"portal: can't listen: {error_text(error)} ({settings.listen})",
                tip="set portal.listen to a free address of this machine",
            ) from None
        self.bound_port = listening.getsockname()[1]
        self._app = PortalApp(self._config, self._path, self._operations)
        await self._app.start()
        self._server = LocalServer(
            "portal",
            self._app,
            listening,
            max_connections=MAX_CONNECTIONS,
            max_each=MAX_CONNECTIONS_EACH,
            ssl_context=context,
        )
        await self._server.start()

    async def close(self) -> None:
        """End live pages and stop listening, if it did."""
        if self._app is not None:
            self._app.end_live()
        if self._server is not None:
            await self._server.close()
        if self._app is not None:
            await self._app.close()

    def new(self, role: Role) -> str:
        """Return an address that signs in once, within ten minutes. Raises `ServiceError`."""
        if self._app is None or self.bound_port is None:
            raise ServiceError("the portal does not listen yet")
        return f"{self.address}{self._app.sign_in_path(role)}"

    @property
    def address(self) -> str:
        """The address for a browser on this machine, or by the first configured name."""
        settings = self._config.portal
        assert settings.listen is not None and self.bound_port is not None  # noqa: S101, PT018
        host = settings.hosts[0] if settings.hosts else settings.listen.host or "localhost"
        scheme = "http" if settings.tls_certificate is None else "https"
        return f"{scheme}://{host_port(host, self.bound_port)}"


def _context(config: Config) -> ssl.SSLContext | None:
    settings = config.portal
    return server_context(
        "portal", settings.tls_certificate, settings.tls_key, error_type=ServiceError
    )
