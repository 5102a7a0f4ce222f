"""What tansu has of what it acknowledged, when it was killed: `python -m tests.kafka.acknowledged`.

NSS has no part in it. Runs of three kills each, with records on their way, by a producer that is
idempotent and by one with `acks=all` alone; what the broker keeps is in S3 by moto. Prints a line
for each kind of producer; the docs of the Kafka source have one such outcome.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from tests.kafka.brokers import ObjectStore, Tansu, read_all

KILLS = 3
PARTITIONS = 4


def a_run(seed: int, *, idempotent: bool) -> tuple[int, int, int]:
    """Return how many records were acknowledged, are there, and are there again."""
    chance, acknowledged = random.Random(seed), set[int]()

    def report(error: object, message: Any) -> None:  # noqa: ANN401 - of a library without types
        if error is None:
            acknowledged.add(int(message.value()))

    with tempfile.TemporaryDirectory(prefix="nss-tansu-") as folder:
        store = ObjectStore(Path(folder))
        broker = Tansu(Path(folder), store=store)
        try:
            store.start()
            broker.start()
            broker.create("web", PARTITIONS)
            settings = {"bootstrap.servers": broker.address, "acks": "all", "log_level": 0}
            producer = Producer(settings | {"enable.idempotence": idempotent})
            sent = 0
            for kill in range(KILLS + 1):
                for number in range(sent, sent + chance.randrange(100, 4000)):
                    producer.produce(
                        "web",
                        b"%d" % number,
                        partition=number % PARTITIONS,
                        on_delivery=report,
                    )
                    sent = number + 1
                if kill < KILLS:
                    time.sleep(chance.uniform(0, 0.3))
                    broker.kill()
                    time.sleep(0.5)
                    broker.start()
                producer.flush(30)
            producer.close()
            found = [
                int(each.value()) for each in read_all(broker.address, "web", sent, PARTITIONS)
            ]
        finally:
            broker.kill()
            store.kill()
    return len(acknowledged), len(acknowledged & set(found)), len(found) - len(set(found))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=6)
    runs = parser.parse_args().runs
    for idempotent in (True, False):
        outcomes = [a_run(seed, idempotent=idempotent) for seed in range(runs)]
        acknowledged, there, again = map(sum, zip(*outcomes, strict=True))
        kind = "idempotent" if idempotent else "acks=all"
        sys.stdout.write(
            f"{kind}: {acknowledged:,} acknowledged, {there:,} of them there, {again:,} twice\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
