MORE: int
DONE: int
BROKEN: int
DEEP: int
DEPTH: int

def plain_lines(
    half: bytes | bytearray, block: bytes, start: int, end: int, max_bytes: int
) -> tuple[bytes, int]: ...
def plain_messages(held: bytes | bytearray, at: int, max_bytes: int) -> tuple[bytes, int, int]: ...
def scan_object(
    buffer: bytes | bytearray, at: int, opened: bytes, before: int, in_string: bool
) -> tuple[int, int, bytes, int, bool]: ...
