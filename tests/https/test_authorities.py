"""How Microsoft's services are reached: whose certificates are trusted."""

import os
from pathlib import Path

import pytest
import trustme

from nss.https.network import Network


async def test_authorities_are_read_from_an_ordinary_file(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    await Network(ca_file=path).client().aclose()
    with Network(ca_file=path).session() as session:
        assert session.verify == str(path)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("fifo", "it is not a regular file"),
        ("zeros", "it is not a regular file"),
        ("large", "it has more than 1048576 bytes"),
    ],
)
def test_what_would_be_read_for_ever_is_refused_before_anything_is_sent(
    tmp_path: Path, kind: str, reason: str
) -> None:
    path = tmp_path / "ca.pem"
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "zeros":
            path.symlink_to("/dev/zero")
        case "large":
            path.write_bytes(bytes((1 << 20) + 1))
    network = Network(ca_file=path)
    with pytest.raises(OSError, match=reason):
        network.client()
    with network.session() as session, pytest.raises(OSError, match=reason):
        session.get("https://127.0.0.1:9")
