"""The API's host of a region that the tenant is not in: it knows neither tokens nor their keys."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.lab.cloud.bodies import json_error

NO_KEY_SET = "Invalid JSON Web Key Set"
"""What was seen at the host without a region, now and then; the answer of others is not known."""


def app() -> Starlette:
    """Return the server."""
    return Starlette(
        routes=[Route("/{path:path}", _refuse, methods=["GET", "POST"])],
        exception_handlers={HTTPException: json_error},
    )


async def _refuse(request: Request) -> Response:
    is_bearer = request.headers.get("authorization", "").startswith("Bearer ")
    raise HTTPException(401, NO_KEY_SET if is_bearer else "Invalid token.")
