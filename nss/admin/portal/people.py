"""Who asks: the session of a request, and refusals of those who may not."""

from starlette.requests import Request

from nss.admin.portal.sessions import Session
from nss.errors import UsageError


class SignInNeeded(UsageError):  # noqa: N818 - named as the sentence reads
    """Nobody has signed in, or the session is over."""


class Forbidden(UsageError):  # noqa: N818 - named as the sentence reads
    """The person may not do that."""


class NoSuchPage(UsageError):  # noqa: N818 - named as the sentence reads
    """There is nothing at an address."""


def signed_in(request: Request) -> Session | None:
    """Return the session of a request, `None` where nobody has signed in."""
    found = request.scope.get("state", {}).get("session")
    return found if isinstance(found, Session) else None


def session_of(request: Request) -> Session:
    """Return the session of a request of somebody who has signed in."""
    found = signed_in(request)
    if found is None:
        raise SignInNeeded("nobody has signed in")
    return found
