"""Zscaler Internet Access (ZIA): sign-in, URL categories, and what can go wrong.

    ZiaError         69
    ├── SignInRefused      the account or its secret is refused; something must be changed
    ├── RequestRefused     ZIA says no for good: licence, role, limits, a bad URL
    │   └── QuotaExceeded  the organisation may have no more URLs or categories
    ├── Busy               another administrator is saving, maintenance, too many requests: later
    └── Unreachable        no answer, or one that makes no sense: it may have been carried out

Errors never carry a secret, a session or a token.
"""

from collections.abc import Sequence
from dataclasses import field
from typing import Any, ClassVar, Literal, Protocol

from formats.dataclass import dataclass
from nss.errors import NssError
from nss.secret import Secret

Field = Literal[
    "client_id",
    "client_secret",
    "private_key",
    "vanity_domain",
    "cloud",
    "username",
    "password",
    "api_key",
    "scope",
    "api_url",
    "token_url",
    "proxy",
    "ca_file",
    "clock",
    "role",
]
"""What a person would have to change; `role` is changed in the admin portal."""

UrlType = Literal["EXACT", "REGEX"]
CategoryType = Literal["URL_CATEGORY", "TLD_CATEGORY", "ALL"]
Activation = Literal["ACTIVE", "PENDING", "INPROGRESS"]


class ZiaError(NssError):
    """Something between NSS and ZIA went wrong.

    The message is one sentence for people that names what to fix. `field` is the same for
    programs, `code` the error code of ZIA, as `EDIT_LOCK_NOT_AVAILABLE`, `status` that of the HTTP
    answer, 0 if none is known. `retry_after_secs` is what the service asks for, if anything.
    `is_unclear` says that a change may have been carried out all the same, perhaps by an attempt
    before the one that failed like this.
    """

    exit_code: ClassVar[int] = 69
    is_unclear: bool = False

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


class SignInRefused(ZiaError):  # noqa: N818 - named as the sentence reads
    """ZIA, or what issues its tokens, refuses these credentials."""


class RequestRefused(ZiaError):  # noqa: N818 - named as the sentence reads
    """ZIA refuses the request, and would refuse it again."""


class QuotaExceeded(RequestRefused):
    """The organisation may have no more URLs, or no more categories."""


class Busy(ZiaError):  # noqa: N818 - named as the sentence reads
    """ZIA carries out nothing at the moment: nothing was changed, and later it may be."""


class Unreachable(ZiaError):  # noqa: N818 - named as the sentence reads
    """There was no answer, or a server error, or an answer that is none.

    A write may have been carried out all the same: read before repeating it.
    """

    is_unclear = True


class Authorization(Protocol):
    """What signs in. `nss.zia.signing_in` has ZIA's own ways; Entra's is given from above."""

    async def headers(self) -> dict[str, Secret]:
        """Return the headers that a request needs. Raises `ZiaError`."""
        ...

    def refused(self) -> None:
        """Sign in anew next time: what there was is not accepted any more. Never waits."""
        ...

    async def close(self) -> None:
        """Sign out, where that is known, and close connections. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Category:
    """A URL category as it was read."""

    id: str
    """As `CUSTOM_36`."""
    name: str
    urls: frozenset[str]
    """These have left their predefined categories."""
    retaining: frozenset[str]
    """`dbCategorizedUrls`: these are in their predefined categories as well."""
    type: str = "URL_CATEGORY"
    url_type: str = "EXACT"
    raw: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The object as it was read: what is sent back with a change is this, with other lists."""

    @property
    def all_urls(self) -> frozenset[str]:
        """Everything that is in the category."""
        return self.urls | self.retaining


@dataclass(frozen=True, slots=True)
class Quota:
    """How many unique custom URLs the organisation has, and may still add."""

    used: int
    remaining: int


class UrlCategories(Protocol):
    """The part of ZIA that a sync needs. All raise `ZiaError`.

    Reads are repeated by the implementation while ZIA is busy or unreachable, within `deadline`
    seconds of the monotonic clock; a write is repeated only when it is sure that it was not carried
    out, or harmless to repeat (ADD and REMOVE are, a creation is not).
    """

    async def find(self, name: str, deadline: float) -> Category | None:
        """Return the category of that name among all types, with its URLs."""
        ...

    async def read(self, category_id: str, deadline: float) -> Category:
        """Return a category as it is now."""
        ...

    async def quota(self, deadline: float) -> Quota:
        """Return how many URLs there may be."""
        ...

    async def create(
        self, name: str, description: str, urls: Sequence[str], deadline: float, *, retain: bool
    ) -> Category:
        """Create a category with these URLs, `retain`ing their predefined categories or not.

        One that somebody else created first is refused.
        """
        ...

    async def add(
        self, category: Category, urls: Sequence[str], deadline: float, *, retain: bool
    ) -> Category:
        """Add URLs to a category; return it as ZIA has it now."""
        ...

    async def remove(self, category: Category, urls: Sequence[str], deadline: float) -> Category:
        """Remove URLs from both lists of a category; return it as ZIA has it now."""
        ...

    async def activate(self, deadline: float) -> Activation:
        """Put all pending changes in force and wait for that; return what came of it."""
        ...

    async def activation(self, deadline: float) -> Activation:
        """Return whether changes are in force."""
        ...
