"""Random cases through both implementations of docs/formats.md, for as long as asked.

make fuzz FUZZ_SECS=600 FUZZ_SEED=7
"""

import argparse
import sys
import time

from tests.formats.second.cases import Cases
from tests.formats.second.compare import difference, smallest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--secs", type=float, default=60)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
    parser.add_argument("--most", type=int, default=1, help="differences after which to stop")
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}\n")
    until = time.monotonic() + options.secs
    cases = Cases(options.seed)
    count = differing = 0
    while time.monotonic() < until and differing < options.most:
        case = cases.case()
        count += 1
        if difference(case) is None:
            continue
        differing += 1
        small = smallest(case, lambda smaller: difference(smaller) is not None)
        sys.stdout.write(f"\ncase {count} of seed {options.seed}:\n{difference(small)}\n")
    sys.stdout.write(f"{count} cases, {differing} of them differ\n")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
