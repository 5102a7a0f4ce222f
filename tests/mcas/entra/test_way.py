"""What can stand in the way to Entra: certificates, names, proxies, silence."""

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nss.https.network import Network
from nss.mcas import Unreachable
from nss.mcas.entra import SignIn
from nss.secret import Secret

if TYPE_CHECKING:
    from tests.mcas.entra.conftest import Description, Entra, Failure

CA_TIP = (
    "name the authority's certificate as ca_file in [mcas], if a proxy inspects what is sent; see "
    "that the machine's clock is right"
)
PROXY_TIP = "see proxy and proxy_auth_file in [mcas]; test them with: nss test-firewall"


def port_tip(port: int) -> str:
    return (
        f"see that this machine may reach it on port {port}, or set proxy in [mcas]; test it with: "
        "nss test-firewall"
    )


def test_an_authority_that_is_not_trusted_is_reported(
    entra: "Entra", description: "Description"
) -> None:
    assert description(SignIn(entra.by_secret, Network())) == (
        Unreachable,
        "ca_file",
        (
            "the certificate is not trusted: unable to get local issuer certificate "
            f"(localhost:{entra.port})"
        ),
        CA_TIP,
    )


def test_the_certificate_of_another_host_is_reported(
    new_entra: Callable[..., "Entra"], network: Network, description: "Description"
) -> None:
    entra = new_entra("login.example")
    assert description(SignIn(entra.by_secret, network)) == (
        Unreachable,
        "ca_file",
        (
            "the certificate is not trusted: hostname mismatch, certificate is not valid for "
            f"'localhost' (localhost:{entra.port})"
        ),
        CA_TIP,
    )


@pytest.mark.parametrize(
    ("begins_days", "ends_days", "reason"),
    [(1, 2, "certificate is not yet valid"), (-2, -1, "certificate has expired")],
)
def test_a_certificate_out_of_its_time_may_be_the_clock(
    new_entra: Callable[..., "Entra"],
    network: Network,
    begins_days: int,
    ends_days: int,
    reason: str,
    description: "Description",
) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    entra = new_entra(
        not_before=now + timedelta(days=begins_days), not_after=now + timedelta(days=ends_days)
    )
    assert description(SignIn(entra.by_secret, network)) == (
        Unreachable,
        "clock",
        f"by this machine's clock, the server's {reason} (localhost:{entra.port})",
        (
            "see that the clock is right, for example with timedatectl set-ntp true; if it is, "
            "whoever runs the server, or the proxy that inspects what is sent, must renew the "
            "certificate"
        ),
    )


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_ca_file_that_is_none_is_reported(
    entra: "Entra", tmp_path: Path, content: bytes | None, failure: "Failure"
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    error = failure(SignIn(entra.by_secret, Network(ca_file=path)))
    assert (type(error), error.field) == (Unreachable, "ca_file")


def test_a_server_that_speaks_no_tls_is_reported(
    entra: "Entra", plain: "Entra", network: Network, description: "Description"
) -> None:
    url = plain.token_url.replace("http://", "https://")
    assert description(SignIn(replace(entra.by_secret, authentication_url=url), network)) == (
        Unreachable,
        "ca_file",
        f"no TLS connection can be made (localhost:{plain.port})",
        CA_TIP,
    )


def test_a_server_that_hangs_up_during_the_handshake_is_reported(
    entra: "Entra", network: Network, description: "Description"
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connection.recv(1)
                    connection.close()

        server = threading.Thread(target=hang_up)
        server.start()
        port = listener.getsockname()[1]
        url = f"https://localhost:{port}/x.example/oauth2/v2.0/token"
        found = description(SignIn(replace(entra.by_secret, authentication_url=url), network))
        listener.shutdown(socket.SHUT_RDWR)
        server.join()
    assert found == (
        Unreachable,
        None,
        f"the connection broke off (localhost:{port})",
        port_tip(port),
    )


def test_no_connection_is_reported(
    entra: "Entra", network: Network, description: "Description"
) -> None:
    entra.close()
    assert description(SignIn(entra.by_secret, network)) == (
        Unreachable,
        None,
        f"nothing listens at localhost:{entra.port} (connection refused)",
        port_tip(entra.port),
    )


@pytest.mark.parametrize("path", ["discovery", "token"])
def test_no_answer_in_time_is_reported(
    entra: "Entra", ca_file: Path, path: str, description: "Description"
) -> None:
    entra.next(path, None, status=5)
    network = Network(ca_file=ca_file, timeout_secs=0.2)
    assert description(SignIn(entra.by_secret, network)) == (
        Unreachable,
        None,
        f"no answer in time (localhost:{entra.port})",
        port_tip(entra.port),
    )


@pytest.mark.parametrize("path", ["discovery", "token"])
@pytest.mark.parametrize(
    ("body", "status", "headers"),
    [(None, 0, {}), (b'{"access_token":', 200, {"Content-Length": "999"})],
)
def test_a_connection_that_breaks_off_is_reported(
    entra: "Entra",
    network: Network,
    path: str,
    body: bytes | None,
    status: int,
    headers: dict[str, str],
    description: "Description",
) -> None:
    entra.next(path, body, status, headers)
    assert description(SignIn(entra.by_secret, network)) == (
        Unreachable,
        None,
        f"the connection broke off (localhost:{entra.port})",
        port_tip(entra.port),
    )


def test_a_host_without_an_address_is_reported(
    entra: "Entra", network: Network, description: "Description"
) -> None:
    url = "https://login.invalid/x.example/oauth2/v2.0/token"
    assert description(SignIn(replace(entra.by_secret, authentication_url=url), network)) == (
        Unreachable,
        "authentication_url",
        "the host in the Authentication URL has no address (login.invalid)",
        "see that the Authentication URL is right, and DNS on this machine: nss test-firewall",
    )


def test_a_proxy_that_is_not_there_is_reported_without_its_password(
    entra: "Entra", plain: "Entra", ca_file: Path, description: "Description"
) -> None:
    plain.close()
    way = Network(ca_file=ca_file, proxy=Secret(f"http://u:sesame@localhost:{plain.port}"))
    assert description(SignIn(entra.by_secret, way)) == (
        Unreachable,
        "proxy",
        (
            f"nothing listens at the proxy localhost:{plain.port} (connection refused), on the "
            f"way to localhost:{entra.port}"
        ),
        (
            f"start the proxy on localhost (TCP port {plain.port}), or correct proxy in [mcas]; "
            "test it with: nss test-firewall"
        ),
    )


def test_a_proxy_that_refuses_is_reported_with_its_status(
    entra: "Entra", plain: "Entra", ca_file: Path, description: "Description"
) -> None:
    way = Network(ca_file=ca_file, proxy=Secret(f"http://u:sesame@localhost:{plain.port}"))
    assert description(
        SignIn(entra.by_secret, way)
    ) == (  # the server knows no CONNECT, and says so
        Unreachable,
        "proxy",
        (
            f"the proxy localhost:{plain.port} does not let it through: HTTP 501 "
            f"(localhost:{entra.port})"
        ),
        PROXY_TIP,
    )
