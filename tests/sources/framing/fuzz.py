"""Random streams through framers with the compiled loops and without, for as long as wanted.

Run as `python -m tests.sources.framing.fuzz --secs 60`, also on an extension with sanitizers.
"""

import argparse
import random
import time

import pytest

from tests.sources.framing.test_compiled import KINDS, PIECES, blocks_of, both


def main() -> None:
    """Compare until the time is over; print the seed first."""
    parser = argparse.ArgumentParser(description="Framers, compiled and not.")
    parser.add_argument("--secs", type=float, default=60)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)  # noqa: T201 - a script
    chance = random.Random(chosen.seed)
    end, streams = time.monotonic() + chosen.secs, 0
    while time.monotonic() < end:
        stream = b"".join(piece(chance) for _ in range(chance.randrange(60)))
        cuts = [chance.randrange(1 << 20) for _ in range(chance.randrange(7))]
        max_bytes = chance.choice([1, 2, 5, 30, 30, 30, 100])
        for make in KINDS:
            both(make, blocks_of(stream, cuts), max_bytes)
        streams += 1
    print(f"{streams} streams, all the same")  # noqa: T201


def piece(chance: random.Random) -> bytes:
    """Return a piece of a stream: mostly one that means something to a framer."""
    if chance.random() < 0.1:
        return chance.randbytes(chance.randrange(4))
    return chance.choice(PIECES) * chance.choice([1, 1, 1, 1, 3])


if __name__ == "__main__":
    pytest.importorskip("nss.sources.framing._scan")
    main()
