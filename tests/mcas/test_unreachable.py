"""What led to an error is found wherever a library keeps it."""

import ssl

import httpx
import pytest
import requests

from nss.mcas import unreachable

PLACE = "login.example"


class Kept(Exception):  # noqa: N818 - any error of a library
    """Keeps another error as `reason`, as urllib3 does."""

    def __init__(self, *args: object, reason: object = None) -> None:
        super().__init__(*args)
        self.reason = reason


def untrusted() -> ssl.SSLCertVerificationError:
    found = ssl.SSLCertVerificationError("x")
    found.verify_code, found.verify_message = 18, "Self-signed certificate."
    return found


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def in_a_circle() -> Exception:
    first, second = Kept(), Kept(untrusted())
    first.__context__, second.__context__ = second, first
    return first


@pytest.mark.parametrize(
    "cause",
    [
        untrusted(),
        Kept(reason=untrusted()),
        Kept(Kept(), untrusted()),
        Kept(Kept("text", 5, None), reason=Kept(untrusted())),
        caused(Kept(), untrusted()),
        in_a_circle(),
    ],
)
def test_a_certificate_is_found_among_the_causes(cause: Exception) -> None:
    sentence = f"the certificate is not trusted: self-signed certificate ({PLACE})"
    assert unreachable.no_sign_in(requests.ConnectionError(cause), PLACE).sentence == sentence
    answer = caused(httpx.ConnectError("x"), cause)
    assert unreachable.no_answer(answer, PLACE).sentence == sentence


@pytest.mark.parametrize("cut", [ssl.SSLEOFError(), Kept(reason=ConnectionResetError())])
def test_a_handshake_that_was_cut_off_is_no_fault_of_tls(cut: Exception) -> None:
    error = requests.exceptions.SSLError(cut)
    assert unreachable.no_sign_in(error, PLACE).sentence == f"the connection broke off ({PLACE})"
