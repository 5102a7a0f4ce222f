"""Certificates to configure."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trustme


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def write_pair(tmp_path: Path, authority: trustme.CA) -> Callable[[str], None]:
    """Writes NAME.pem, NAME.key and the authority's ca.pem into the test's folder."""

    def write(name: str) -> None:
        pair = authority.issue_cert("localhost")
        key, chain = tmp_path / f"{name}.key", tmp_path / f"{name}.pem"
        pair.private_key_pem.write_to_path(key)
        key.chmod(0o640)
        chain.write_bytes(b"".join(blob.bytes() for blob in pair.cert_chain_pems))
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    return write
