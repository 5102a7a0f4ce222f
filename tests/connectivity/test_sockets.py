"""The sockets of a process, from /proc and from what stands there."""

import os
import socket
from pathlib import Path

from nss.connectivity.sockets import Socket, sockets_of

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000005 00:00000000 00000000     0        0 77 1
   1: 0100007F:0202 0200007F:C350 01 00000010:00000000 00:00000000 00000000     0        0 78 1
   2: 0100007F:0202 0200007F:C351 01 00000010:00000000 00:00000000 00000000     0        0 99 1
   3: nonsense
"""


def test_tables_of_the_kernel_are_read(tmp_path: Path) -> None:
    (tmp_path / "5" / "fd").mkdir(parents=True)
    (tmp_path / "5" / "net").mkdir()
    (tmp_path / "5" / "fd" / "3").symlink_to("socket:[77]")
    (tmp_path / "5" / "fd" / "4").symlink_to("socket:[78]")
    (tmp_path / "5" / "fd" / "5").symlink_to("/dev/null")
    (tmp_path / "5" / "net" / "tcp").write_text(TABLE)
    assert sockets_of(5, tmp_path) == [
        Socket(
            proto="tcp",
            local_host="127.0.0.1",
            local_port=8080,
            remote_host="",
            remote_port=0,
            state="listening",
            received_bytes=5,
            unsent_bytes=0,
        ),
        Socket(
            proto="tcp",
            local_host="127.0.0.1",
            local_port=514,
            remote_host="127.0.0.2",
            remote_port=50000,
            state="established",
            received_bytes=0,
            unsent_bytes=16,
        ),
    ]


def test_own_sockets_are_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = [sock for sock in sockets_of(os.getpid()) if sock.local_port == port]
    assert [(sock.proto, sock.local_host, sock.state) for sock in found] == [
        ("tcp", "127.0.0.1", "listening")
    ]
