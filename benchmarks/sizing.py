"""How many services a stream needs: a model with measured parameters; one failure, simulated.

    python benchmarks/sizing.py                 # the checks against measured points, and the table
    python benchmarks/sizing.py --records-per-sec 500000 --instances 6 --cores 2 --partitions 24

The model: a record costs each stage some CPU, stages add up, and a service has the cores that it
can use. The simulation: one of several services fails, the others take its partitions after the
session has timed out, and work off what has waited in the topic.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

USABLE_CORES = 2.0
"""What one service can use: one event loop, and threads that render beside it."""

RESERVE = 0.7
"""How much of a core is planned with: the rest is for peaks and for working off a backlog."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Microseconds of CPU a record of 1.2 KB on its way from a file to a sink, spool in memory.

    Those of Kafka are from benchmarks/kafka.py, on two cores that others wanted too, less the
    start:
    on a quiet machine they are smaller. That of UDP is from benchmarks/run.py on a quiet one.
    """

    start_secs: float = 0.80
    """Of CPU, once: interpreter and imports."""
    udp: float = 3.25
    kafka: float = 8.97
    """Each line a message."""
    kafka_user: float = 9.28
    """The same with the key of the user."""
    kafka_packed: float = 5.30
    """Lines in messages of 64 KiB."""
    spool: float = 3.73
    """What the durable spool adds."""
    spool_bytes: float = 76.0
    """On disk, of a record that waits."""

    def of(self, sink: str, *, durable: bool, records: float = float("inf")) -> float:
        """Return what a record costs on its whole way, and its share of the start."""
        way = float(getattr(self, sink)) + (self.spool if durable else 0.0)
        return way + self.start_secs * 1e6 / records


@dataclass(frozen=True, slots=True)
class Point:
    """A measurement that no parameter was taken from."""

    name: str
    measured_us: float
    sink: str
    durable: bool
    records: int


POINTS: tuple[Point, ...] = (
    Point("packed, durable, 100,000 records", 18.07, "kafka_packed", durable=True, records=100_000),
    Point("by user, durable, 100,000 records", 20.91, "kafka_user", durable=True, records=100_000),
    Point("packed, memory, 20,000 records", 46.48, "kafka_packed", durable=False, records=20_000),
)


def services(records_per_sec: float, cost_us: float, cores: float = USABLE_CORES) -> int:
    """Return how many services a stream needs."""
    return max(1, ceil(records_per_sec / capacity(cost_us, cores)))


def capacity(cost_us: float, cores: float = USABLE_CORES) -> float:
    """Return how many records a second a service is planned for."""
    return RESERVE * min(cores, USABLE_CORES) * 1e6 / cost_us


def partitions(instances: int) -> int:
    """Return how many partitions leave no service idle, and little unevenness when one fails."""
    return 4 * instances


@dataclass(frozen=True, slots=True)
class Failure:
    """What the failure of one service does."""

    lag_records: float
    """The most that waited in the topic."""
    caught_up_secs: float
    """From the failure until nothing waits; infinite: never."""


def simulate(
    records_per_sec: float,
    instances: int,
    shares: int,
    cost_us: float,
    *,
    cores: float = USABLE_CORES,
    session_secs: float = 45.0,
    step_secs: float = 0.5,
    limit_secs: float = 7200.0,
) -> Failure:
    """Follow each partition after one service fails; `shares` is how many there are."""
    full = min(cores, USABLE_CORES) * 1e6 / cost_us
    came = records_per_sec / shares * step_secs
    waiting = [0.0] * shares
    most, at = 0.0, 0.0
    while at < limit_secs:
        at += step_secs
        owners = instances if at <= session_secs else instances - 1
        is_failed = at <= session_secs
        for number in range(owners):
            mine = range(number, shares, owners)
            able = 0.0 if is_failed and number == 0 else full * step_secs
            for left, share in enumerate(mine):
                waiting[share] += came
                done = min(waiting[share], able / (len(mine) - left))
                waiting[share] -= done
                able -= done
        most = max(most, sum(waiting))
        if at > session_secs and sum(waiting) < came:
            return Failure(most, at)
    return Failure(most, float("inf"))


def checks(costs: Costs) -> Iterator[str]:
    """Yield the lines of the comparison with measured points."""
    for point in POINTS:
        predicted = costs.of(point.sink, durable=point.durable, records=point.records)
        off = predicted / point.measured_us - 1
        yield f"{point.name:<40} {predicted:>10.2f} {point.measured_us:>10.2f} {off:>+8.0%}"


def table(costs: Costs) -> Iterator[str]:
    """Yield the lines of the table up to 10^7 records a second."""
    for rate in (10_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000):
        centre = costs.of("udp", durable=True)
        count = services(rate, centre)
        spare = count + 1  # one may fail
        shares = partitions(spare)
        failure = simulate(rate, spare, shares, centre)
        branch = services(rate, costs.of("kafka_packed", durable=True))
        hour_gb = rate * 3600 * costs.spool_bytes / 1e9
        yield (
            f"{rate:>10,} {branch:>8,} {spare:>8,} {shares:>10,} {hour_gb:>13,.1f}"
            f" {failure.lag_records / 1e6:>10,.1f} {failure.caught_up_secs:>9,.0f}"
        )


def main() -> int:
    """Print the checks and the table, or what becomes of one set-up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records-per-sec", type=float)
    parser.add_argument("--instances", type=int, default=3)
    parser.add_argument("--partitions", type=int)
    parser.add_argument("--cores", type=float, default=USABLE_CORES)
    parser.add_argument("--session-secs", type=float, default=45.0)
    chosen = parser.parse_args()
    costs = Costs()
    if chosen.records_per_sec:
        found = simulate(
            chosen.records_per_sec,
            chosen.instances,
            chosen.partitions or partitions(chosen.instances),
            costs.of("udp", durable=True),
            cores=chosen.cores,
            session_secs=chosen.session_secs,
        )
        print(f"most that waits: {found.lag_records:,.0f} records")
        print(f"caught up after: {found.caught_up_secs:,.0f} s")
        return 0
    print("measured points, us a record             predicted   measured      off")
    print("\n".join(checks(costs)))
    print("\n records/s branches  centre  partitions  GB an hour   lag, mill.  caught up, s")
    print("\n".join(table(costs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
