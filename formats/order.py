"""The order key: lines that have the same one stay in order when they take several ways."""

import zlib

ORDER_FIELD = "login"
"""Order is kept for each user."""


def order_key(user: str) -> int:
    """Return the order key of a user: a number of 32 bits, which anybody could share by chance."""
    return zlib.crc32(user.encode("utf-8", "surrogatepass"))
