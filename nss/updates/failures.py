"""Why an update ends, with the vendor's numbers as exit codes.

NssError
├── UpdateFailed              99  the download or the installation failed
│   ├── ClientRefused         96  the client certificate is invalid
│   └── ServerTimedOut        97  the update server does not answer
└── UpdateUnderWay            75  another update runs
"""

from nss.errors import NssError


class UpdateFailed(NssError):  # noqa: N818 - it is what happened
    """The download or the installation failed."""

    exit_code = 99


class ClientRefused(UpdateFailed):
    """The client certificate is invalid, or the update server does not know it."""

    exit_code = 96


class ServerTimedOut(UpdateFailed):
    """The update server does not answer in time."""

    exit_code = 97


class UpdateUnderWay(NssError):  # noqa: N818 - it is what happens
    """An update runs already; only one may."""

    exit_code = 75
