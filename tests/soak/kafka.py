"""Instances of one consumer group, killed for long: `python -m tests.soak.kafka --kills 100`.

Rounds of ten disturbances (SIGKILL, SIGSTOP until others have taken over, SIGTERM) of three
instances that share four partitions of librdkafka's mock cluster, in turn with the durable spool,
without anything on the machines (`delivered`, in memory), and with both. What the broker
acknowledged must be in their files, in the order of each partition. Prints a line for each round
and a table; the exit code is 1 if a record was lost or out of order, or more came twice than was
on its way.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from itertools import cycle, islice
from pathlib import Path

from tests.kafka.brokers import MockCluster
from tests.kafka.group import AFTER, BURST, Outcome, Reading, disturbed

MODES = (("accepted", "durable"), ("delivered", "memory"), ("delivered", "durable"))
KILLS = ("SIGKILL", "SIGKILL", "SIGSTOP", "SIGKILL", "SIGTERM")
A_ROUND = 10
COUNTED = ("disturbances", "acknowledged", "lost", "twice", "out of order")


def a_round(commit: str, spool: str, kills: int, seed: int) -> Outcome:
    """Run one round with a cluster and a folder of its own."""
    cluster = MockCluster(3)
    try:
        with tempfile.TemporaryDirectory(prefix="nss-kafka-") as folder:
            reading, chosen = Reading(commit, spool), list(islice(cycle(KILLS), kills))
            return disturbed(cluster.address, Path(folder), reading, chosen, seed)
    finally:
        cluster.close()


def is_good(outcome: Outcome, kills: int) -> bool:
    """Return whether nothing was lost and little came twice."""
    few = outcome.duplicates <= kills * (BURST + AFTER)
    return not outcome.lost and not outcome.out_of_order and few


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    chosen = parser.parse_args()
    if chosen.kills < 1:
        parser.error("--kills must be at least 1")
    sys.stdout.write(f"seed {chosen.seed}\n")
    left, bad = chosen.kills, 0
    totals = {mode: Counter[str]() for mode in MODES}
    slowest = dict.fromkeys(MODES, 0.0)
    for number, mode in enumerate(cycle(MODES)):
        if left <= 0:
            break
        kills = min(A_ROUND, left)
        left -= kills
        try:
            outcome = a_round(*mode, kills, chosen.seed + number)
        except AssertionError as error:
            sys.stdout.write(f"{' '.join(mode)}: {error}\n")
            bad += 1
            continue
        sys.stdout.write(f"{' '.join(mode)}: {outcome}\n")
        sys.stdout.flush()
        bad += not is_good(outcome, kills)
        found = (
            kills,
            outcome.acknowledged,
            outcome.lost,
            outcome.duplicates,
            outcome.out_of_order,
        )
        totals[mode].update(dict(zip(COUNTED, found, strict=True)))
        slowest[mode] = max(slowest[mode], *outcome.takeover_secs)
    sys.stdout.write(f"| mode | {' | '.join(COUNTED)} | slowest [s] |\n")
    sys.stdout.write(f"| --- |{' ---: |' * (len(COUNTED) + 1)}\n")
    for mode, total in totals.items():
        if not total["disturbances"]:
            sys.stdout.write(f"| {' '.join(mode)} | no round ended |\n")
            continue
        row = " | ".join(f"{total[name]:,}" for name in COUNTED)
        sys.stdout.write(f"| {' '.join(mode)} | {row} | {slowest[mode]:.1f} |\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
