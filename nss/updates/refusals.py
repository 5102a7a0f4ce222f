"""What apt says when a repository can't be used, as the vendor's three errors with a remedy."""

import re

from nss.updates.failures import ClientRefused, ServerTimedOut, UpdateFailed

CLIENT_REFUSED = "the update server refuses this client"
NEW_CERTIFICATE = (
    "get a client certificate that is valid from who runs the repository, and name it as "
    "client_certificate_file and client_key_file in [updates]"
)
REACH = "see updates.repository and updates.proxy, and that a firewall lets this machine connect"

_STATUS = r"(?:^|\s\s)(?:{})\s\s"
"""apt's words for an answer of HTTP: the number between two spaces and two spaces."""

_RULES: tuple[tuple[str, type[UpdateFailed], str, str], ...] = (
    (
        _STATUS.format("40[013]|49[56]"),
        ClientRefused,
        CLIENT_REFUSED,
        NEW_CERTIFICATE,
    ),
    (
        r"private key|client certificate|SslCert|SslKey",
        ClientRefused,
        "the client certificate can't be used",
        "see that client_key_file in [updates] is the key of client_certificate_file, both PEM",
    ),
    (
        (
            r"certificate verification failed|certificate is NOT trusted|certificate.*expired|"
            r"does not match"
        ),
        UpdateFailed,
        "the update server's own certificate is not trusted",
        (
            "see the clock (timedatectl) and the authority in updates.trust_file; a proxy that "
            "inspects traffic needs its own there"
        ),
    ),
    (
        r"timed out|timeout|could not wait for server",
        ServerTimedOut,
        "the update server does not answer",
        REACH,
    ),
    (
        (
            r"could not connect|could not resolve|failure resolving|connection refused|"
            r"unreachable|no route|unable to connect|something wicked happened"
        ),
        UpdateFailed,
        "the update server can't be reached",
        REACH,
    ),
    (
        r"connection failed|TLS fatal alert|could not handshake",
        UpdateFailed,
        "the update server ended the connection without an answer",
        REACH,
    ),
    (
        rf"{_STATUS.format('404')}|does not have a Release file",
        UpdateFailed,
        "the update server does not have it",
        "see updates.repository and updates.suite; who runs the repository may have moved it",
    ),
    (
        _STATUS.format("[345][0-9][0-9]"),
        UpdateFailed,
        "the update server answers with an error, or sends elsewhere",
        "see updates.repository and updates.proxy; otherwise ask who runs the repository",
    ),
    (
        (
            r"NO_PUBKEY|not signed|BADSIG|signatures? (?:was|were|couldn't be|could not be) |"
            r"signature verification|is not valid|NODATA|EXPKEYSIG|REVKEYSIG|no valid OpenPGP"
        ),
        UpdateFailed,
        "the repository is not signed by the key in updates.key_file",
        "get the key from who runs the repository, by another way than from the repository itself",
    ),
    (
        r"Release file .*(?:expired|not valid yet)",
        UpdateFailed,
        "the repository's index is out of date, or this machine's clock is",
        "see the clock: timedatectl; otherwise who runs the repository must publish it anew",
    ),
    (
        r"no space left|enough free space|disk quota",
        UpdateFailed,
        "the disk is full",
        "make room: df -h /var/lib/nss-update",
    ),
    (
        (
            r"hash sum mismatch|unexpected size|mirror sync|unexpected end|connection closed|"
            r"reading from server"
        ),
        UpdateFailed,
        "the download is damaged, or ended early",
        "try again; if it stays, who runs the repository must publish it anew",
    ),
    (
        r": (?:Pre-)?Depends: |unmet dependencies|not installable|held broken packages",
        UpdateFailed,
        "the new version needs packages that this machine does not have",
        (
            "install them from the distribution (sudo apt-get install ...), then again: "
            "sudo nss update-now"
        ),
    ),
)


def refusal(said: str, what: str) -> UpdateFailed:
    """Return the error for what apt has said; `what` was to be done."""
    lines = said.splitlines()
    telling = [line.strip() for line in lines if re.match(r"E:|Err:|W:|\s+\S", line)]
    for pattern, error, meaning, remedy in _RULES:
        line = next((each for each in telling if re.search(pattern, each, re.IGNORECASE)), None)
        if line is not None:
            return error(f"update: {what}: {meaning}: {_short(line)}", tip=remedy)
    last = next((line for line in telling if line.startswith("E:")), "apt does not say why")
    return UpdateFailed(
        f"update: {what}: {_short(last)}",
        tip="see updates.repository and updates.suite, then again: sudo nss update-now",
    )


def _short(line: str) -> str:
    """Return a line of apt's without what could move a terminal's cursor, or a password."""
    text = re.sub(r"^(?:[EW]:|Err:\d+)\s*", "", line)
    text = re.sub(r"://[^/\s@]*@", "://***@", text)
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:300]
