"""Causes in plain words: the part at fault, the system's own words aside, and what to do."""

import errno
import os
import socket
import ssl
from pathlib import Path

import httpx
import pytest

from nss import causes
from nss.causes import Cause, Peer
from nss.https import trouble

SIEM = Peer("siem.example", 514, "10.0.0.1", "destinations in [feeds.siem.sink]", "collector")
SECTION = "feeds.siem.sink"


def system(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("number", "sentence", "remedy"),
    [
        (
            errno.ECONNREFUSED,
            "nothing listens at siem.example:514 (10.0.0.1: connection refused)",
            (
                "start the collector on siem.example (TCP port 514), or correct destinations in "
                "[feeds.siem.sink]; test it with: nss test-firewall"
            ),
        ),
        (
            errno.ETIMEDOUT,
            "siem.example:514 does not answer (10.0.0.1: connection timed out)",
            (
                "see that siem.example is up, and have the firewalls on the way allow TCP to "
                "10.0.0.1:514; test it with: nss test-firewall"
            ),
        ),
        (
            errno.EHOSTUNREACH,
            "this machine has no way to siem.example:514 (10.0.0.1: no route to host)",
            "see that siem.example is up, and the route to it: ip route get 10.0.0.1",
        ),
        (
            errno.EADDRNOTAVAIL,
            (
                "this machine has no address or no free port for siem.example:514 (10.0.0.1: "
                "cannot assign requested address)"
            ),
            "see the addresses of this machine, and its connections: ip addr; ss -s",
        ),
        (
            errno.ECONNRESET,
            (
                "the connection to the collector at siem.example:514 broke off (10.0.0.1: "
                "connection reset by peer)"
            ),
            (
                "see the log of the collector on siem.example: it was restarted, has too many "
                "connections, or does not speak this protocol at this port"
            ),
        ),
        (
            errno.EINVAL,
            "nothing gets to siem.example:514 (10.0.0.1: invalid argument)",
            "test it with: nss test-firewall",
        ),
    ],
)
def test_each_error_of_a_socket_names_the_peer_and_what_to_do(
    number: int, sentence: str, remedy: str
) -> None:
    assert causes.of_connection(system(number), SIEM) == Cause(sentence, remedy)


def test_what_is_on_the_way_is_named_with_its_role() -> None:
    proxy = Peer("proxy.example", 3128, setting="proxy in [mcas]", role="proxy", is_on_the_way=True)
    refused = causes.of_connection(system(errno.ECONNREFUSED), proxy)
    reset = causes.of_connection(system(errno.ECONNRESET), proxy)
    assert refused.sentence == (
        "nothing listens at the proxy proxy.example:3128 (connection refused)"
    )
    assert reset.sentence == (
        "the connection to the proxy proxy.example:3128 broke off (connection reset by peer)"
    )


def test_the_command_that_tries_a_connection_does_not_advise_itself() -> None:
    cause = causes.of_connection(system(errno.ECONNREFUSED), SIEM._replace(test=""))
    assert cause.remedy.endswith("or correct destinations in [feeds.siem.sink]")


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("WRONG_VERSION_NUMBER", "what listens at siem.example:514 does not speak TLS (10.0.0.1: "),
        (
            "TLSV1_ALERT_UNKNOWN_CA",
            "the collector at siem.example:514 does not accept the certificate of NSS (10.0.0.1: ",
        ),
        (
            "TLSV13_ALERT_CERTIFICATE_REQUIRED",
            (
                "the collector at siem.example:514 wants a certificate from NSS, or other TLS than "
                "it speaks (10.0.0.1: "
            ),
        ),
        ("NO_PROTOCOLS_AVAILABLE", "no TLS with the collector at siem.example:514 (10.0.0.1: "),
    ],
)
def test_each_alert_of_tls_says_whose_fault_it_is(reason: str, sentence: str) -> None:
    error = ssl.SSLError(1, "[SSL] (_ssl.c:1)")
    error.reason = reason
    cause = causes.of_tls(error, SIEM, SECTION, "siem.example")
    assert cause.sentence == f"{sentence}TLS: {reason.replace('_', ' ').lower()})"
    assert "_ssl.c" not in f"{cause}"
    assert cause.remedy


@pytest.mark.parametrize(
    ("code", "words", "sentence", "remedy"),
    [
        (10, "x", "has expired", "have it renewed on siem.example; "),
        (9, "x", "is not valid yet, by this machine's clock", "see that the clock is right: "),
        (62, "x", "is not for the name siem", "set tls_server_name in [feeds.siem.sink] "),
        (
            19,
            "self-signed certificate in chain",
            "is not from an authority that is trusted here (self-signed certificate in chain)",
            "name the authority's certificate (PEM) as tls_ca in [feeds.siem.sink]; ",
        ),
        (23, "Certificate revoked.", "is not trusted (certificate revoked)", "see tls_ca in "),
    ],
)
def test_each_fault_of_a_certificate_has_its_words(
    code: int, words: str, sentence: str, remedy: str
) -> None:
    error = ssl.SSLCertVerificationError("x")
    error.verify_code, error.verify_message = code, words
    cause = causes.of_tls(error, SIEM, SECTION, "siem")
    assert cause.sentence == (f"the certificate of the collector at siem.example:514 {sentence}")
    assert cause.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("number", "sentence", "remedy"),
    [
        (errno.ENOSPC, "no space is left for /logs/web (no space left on device)", "df -h /logs"),
        (
            errno.EROFS,
            "the service may not write in the folder of",
            "ReadWritePaths=/logs",
        ),
        (
            errno.ENXIO,
            "nobody reads from /logs/web (no such device",
            "start its reader",
        ),
        (errno.ENOENT, "the folder of /logs/web is not there", "sudo install -d -o nss"),
    ],
)
def test_each_fault_of_a_file_has_its_words(number: int, sentence: str, remedy: str) -> None:
    cause = causes.of_writing(system(number), "/logs/web")
    assert cause.sentence.startswith(sentence)
    assert remedy in cause.remedy


def test_the_servers_that_are_asked_for_names_are_those_of_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    none = causes.system_resolver(path)
    path.write_text("search x\nnameserver 10.0.0.2\nnameserver ::1\nnameserver")
    assert causes.system_resolver(path) == "resolver 10.0.0.2, ::1"
    assert none == f"a resolver in {path}, which names none"


def test_an_error_of_the_system_is_found_in_a_group_of_errors() -> None:
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('10.0.0.1', 9)")
    wrapped = OSError("All connection attempts failed")
    wrapped.__cause__ = ExceptionGroup("several", [refused])
    found = causes.of_system(wrapped)
    assert found is not None
    assert (found.errno, str(found)) == (errno.ECONNREFUSED, "[Errno 111] Connection refused")
    assert causes.of_system(ssl.SSLError(1, "x")) is None


@pytest.mark.parametrize(
    ("number", "words", "sentence"),
    [
        (
            socket.EAI_NONAME,
            "Name or service not known",
            (
                "DNS does not know the proxy's name proxy.example (name or service not known), on "
                "the way to https://mcas.example"
            ),
        ),
        (
            socket.EAI_AGAIN,
            "Temporary failure in name resolution",
            (
                "no DNS server answers for the proxy's name proxy.example (temporary failure in "
                "name resolution), on the way to https://mcas.example"
            ),
        ),
    ],
)
def test_a_proxy_whose_name_has_no_address_is_named(number: int, words: str, sentence: str) -> None:
    error = httpx.ConnectError("x")
    error.__cause__ = socket.gaierror(number, words)
    found = trouble.trouble(error, "mcas", "https://mcas.example", "proxy.example:3128")
    assert (found.sentence, found.field) == (sentence, "proxy")


def test_a_server_whose_name_has_no_address_is_named_without_a_proxy() -> None:
    error = httpx.ConnectError("x")
    error.__cause__ = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    found = trouble.trouble(error, "mcas", "https://mcas.example")
    assert found.sentence == (
        "DNS does not know the server's name mcas.example (name or service not known)"
    )


@pytest.mark.parametrize(
    ("place", "port"),
    [("https://mcas.example/api", 443), ("localhost:33583", 33583), ("https://[::1]:8443", 8443)],
)
def test_the_port_to_open_is_the_one_that_was_tried(place: str, port: int) -> None:
    error = httpx.ConnectError("x")
    error.__cause__ = system(errno.ECONNREFUSED)
    found = trouble.trouble(error, "mcas", place)
    assert found.tip == (
        f"see that this machine may reach it on port {port}, or set proxy in [mcas]; test it with: "
        "nss test-firewall"
    )
