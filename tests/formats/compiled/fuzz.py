"""The core against its judge for as long as one likes: random formats, hostile batches.

    python -m tests.formats.compiled.fuzz --secs 600
    python -m tests.formats.compiled.fuzz --records 1000000 --first-seed 7

A difference ends it, with the seed that brings it back (`--seed`). Prints what was compared.
"""

import argparse
import random
import sys
import time

from formats.compiled import Core
from tests.formats.compiled.cutting import LongRecords, random_long_pair, sizes_for
from tests.formats.compiled.judged import random_pair
from tests.formats.compiled.text_lines import random_lines_pair

BATCHES = 40
"""How many go through one format."""

PAIRS = random_pair, random_lines_pair, random_pair, random_lines_pair, random_long_pair
"""JSON, lines of text, and JSON with long values."""

CUT_SHARE = 0.2
"""How many batches are run again, with lines cut to some size."""


def main() -> None:
    """Compare until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--secs", type=float, default=60)
    parser.add_argument("--records", type=int, help="end after so many instead")
    parser.add_argument("--first-seed", type=int, help="the seeds from here on, not by the clock")
    parser.add_argument("--seed", type=int, help="only the formats and batches of this seed")
    chosen = parser.parse_args()
    if Core is None:
        sys.exit("the core is not built")
    first: int | None = chosen.first_seed if chosen.seed is None else chosen.seed
    seed = time.time_ns() if first is None else first
    until = time.monotonic() + chosen.secs
    formats = compiled = records = lines = handed = filtered = shortened = 0
    while time.monotonic() < until if chosen.records is None else records < chosen.records:
        try:
            chance = random.Random(seed)
            judged, hostile = PAIRS[seed % len(PAIRS)](chance)
            is_long = isinstance(hostile, LongRecords)
            formats += 1
            compiled += judged.engine is not None
            for _ in range(BATCHES):
                data = hostile.batch()
                records += data.count(b"\n")
                printed = judged.check(data)
                lines += len(printed)
                if printed and (is_long or chance.random() < CUT_SHARE):
                    judged.check(data, chance.choice(sizes_for(chance, printed)))
                if judged.engine is not None and not judged.engine.is_resting:
                    handed += judged.handed_over(data)
            filtered += judged.filtered
            shortened += judged.shortened
        except BaseException:
            print(f"--seed {seed}", flush=True)  # noqa: T201 - for who wants it again
            raise
        if chosen.seed is not None:
            break
        seed += 1
    print(  # noqa: T201 - its result
        f"{formats} formats, {compiled} in the core; {records} records, {lines} lines,"
        f" {shortened} cut, {filtered} filtered, {handed} handed over"
    )


if __name__ == "__main__":
    main()
