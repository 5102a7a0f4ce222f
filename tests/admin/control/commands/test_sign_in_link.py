"""`nss portal sign-in-link`, against the control socket."""

import json

from nss.admin.control.server import ControlServer
from nss.errors import UsageError
from tests.admin.conftest import FakeOperations
from tests.admin.control.commands.conftest import Nss

LINK = "http://127.0.0.1:9633/link/token"


async def test_a_link_is_printed_alone(
    nss: Nss, control: ControlServer, operations: FakeOperations
) -> None:
    assert control
    ran = await nss("portal", "sign-in-link")
    assert (ran.code, ran.out.decode()) == (0, f"{LINK}\n")
    assert ran.err == "Good once, for ten minutes, as admin.\n"
    ran = await nss("portal", "sign-in-link", "--role", "viewer", "--json")
    assert json.loads(ran.out) == {"link": LINK, "role": "viewer"}
    assert operations.asked == [("sign-in link", "admin"), ("sign-in link", "viewer")]


async def test_a_portal_that_is_off_is_reported(
    nss: Nss, control: ControlServer, operations: FakeOperations
) -> None:
    assert control
    operations.error = UsageError("the portal is off", tip="turn it on")
    ran = await nss("portal", "sign-in-link")
    assert (ran.code, ran.out) == (64, b"")
    assert ran.err == "nss: the portal is off\nTry: turn it on\n"
