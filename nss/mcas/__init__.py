"""Microsoft Defender for Cloud Apps (MCAS): sign-in with Entra, its API, and what can go wrong.

    McasError        69
    ├── SignInRefused      Entra, or the token it gave, says no; something must be changed
    ├── RequestRefused     MCAS says no; something must be changed
    ├── UploadExpired      the storage takes nothing at this upload URL any more: ask for another
    ├── Throttled          MCAS, its storage or Entra says later
    ├── Unconfirmed        MCAS answered, and what it did is open
    ├── UnreadableLog      the governance log has an unknown shape (in nss.mcas.governance)
    └── Unreachable        no answer, or one that makes no sense: try again later

Errors never carry a secret, a token, or the query of an upload URL.
"""

from typing import ClassVar, Literal

from nss.errors import NssError

Field = Literal[
    "client_id",
    "client_secret",
    "client_secret_expires",
    "certificate",
    "managed_identity",
    "scope",
    "authentication_url",
    "api_url",
    "token",
    "data_source",
    "proxy",
    "ca_file",
    "clock",
    "role",
]
"""What a person would have to change; `role` and `data_source` are changed in the portals."""

Service = Literal["MCAS", "the storage", "Entra"]
"""Whose answer it is."""


class McasError(NssError):
    """Something between NSS and MCAS went wrong.

    The message is one sentence for people that names what to fix. `field` is the same for
    programs, `code` the error code of Entra or MCAS, as `AADSTS7000215`, `status` that of the HTTP
    answer, 0 if none is known. `retry_after_secs` is what the service asks for, if anything.
    """

    exit_code: ClassVar[int] = 69

    def __init__(
        self,
        message: str,
        *,
        tip: str | None = None,
        field: Field | None = None,
        code: str | None = None,
        status: int = 0,
        retry_after_secs: float | None = None,
    ) -> None:
        super().__init__(message, tip=tip)
        self.sentence = message
        self.field = field
        self.code = code
        self.status = status
        self.retry_after_secs = retry_after_secs


class SignInRefused(McasError):  # noqa: N818 - named as the sentence reads
    """Entra refuses these credentials, or gives a token that is no good for MCAS."""


class RequestRefused(McasError):  # noqa: N818 - named as the sentence reads
    """MCAS refuses the request, and would refuse it again."""


class UploadExpired(McasError):  # noqa: N818 - named as the sentence reads
    """The storage refuses an upload URL: it has expired, or never was right."""


class Throttled(McasError):  # noqa: N818 - named as the sentence reads
    """Too many requests, says the service `by`: the others may be asked meanwhile."""

    def __init__(self, message: str, by: Service, *, retry_after_secs: float | None = None) -> None:
        super().__init__(message, retry_after_secs=retry_after_secs)
        self.by = by


class Unconfirmed(McasError):  # noqa: N818 - named as the sentence reads
    """An answer that is neither a yes nor a no: whether the request was carried out is open."""


class Unreachable(McasError):  # noqa: N818 - named as the sentence reads
    """There was no answer, or a server error, or an answer that is none. Worth another try."""
