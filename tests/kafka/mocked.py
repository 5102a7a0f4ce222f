"""librdkafka's mock cluster, with all that its C interface can do to clients.

Python's package has no way to it: it is called in the library that the package has loaded.
"""

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import confluent_kafka  # noqa: F401 - it loads the library

_PRODUCER = 0
_GROUP_DELAY_MS = 100

TOPIC_AUTHORIZATION_FAILED = 29
FETCH, OFFSET_COMMIT, HEARTBEAT = 1, 8, 12
"""Kinds of requests, by their numbers in the protocol."""


class Cluster:
    """Brokers that a test can stop, and have answer with errors. A topic is there once created."""

    def __init__(self, brokers: int = 1) -> None:
        self._lib = lib = _library()
        conf = lib.rd_kafka_conf_new()
        lib.rd_kafka_conf_set(conf, b"log_level", b"0", None, 0)
        text = ctypes.create_string_buffer(200)
        self._owner = lib.rd_kafka_new(_PRODUCER, conf, text, len(text))
        assert self._owner, text.value
        self._brokers = range(1, brokers + 1)
        self._cluster = lib.rd_kafka_mock_cluster_new(self._owner, brokers)
        assert self._cluster
        lib.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, _GROUP_DELAY_MS)
        self.address: str = lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def close(self) -> None:
        self._lib.rd_kafka_mock_cluster_destroy(self._cluster)
        self._lib.rd_kafka_destroy(self._owner)

    def create(self, topic: str, partitions: int = 1) -> None:
        self._do("topic_create", topic.encode(), partitions, len(self._brokers))

    def consumer_sessions(self, secs: float) -> None:
        """Forget members of a `consumer` group (KIP-848) that are silent for so long."""
        lib, beat_ms = self._lib, int(secs * 1000 / 6)
        lib.rd_kafka_mock_set_group_consumer_session_timeout_ms(self._cluster, int(secs * 1000))
        lib.rd_kafka_mock_set_group_consumer_heartbeat_interval_ms(self._cluster, beat_ms)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Have the messages before an offset gone, as after the time of retention."""
        self._do("partition_delete_records", topic.encode(), partition, before)

    def set_topic_error(self, topic: str, error: int) -> None:
        """Answer what is asked about a topic with an error; 0 is none."""
        self._lib.rd_kafka_mock_topic_set_error(self._cluster, topic.encode(), error)

    def down(self) -> None:
        """Refuse connections."""
        for broker in self._brokers:
            self._do("broker_set_down", broker)

    def up(self) -> None:
        for broker in self._brokers:
            self._do("broker_set_up", broker)

    def fail_next(self, request: int, *errors: int) -> None:
        """Answer the next requests of a kind with these errors."""
        numbers = (ctypes.c_int * len(errors))(*errors)
        self._lib.rd_kafka_mock_push_request_errors_array(
            self._cluster, ctypes.c_int16(request), ctypes.c_size_t(len(errors)), numbers
        )

    def fail_fetches(self, topic: str, partition: int, *errors: int) -> None:
        """Answer the next requests for messages of a partition with these errors."""
        self._lib.rd_kafka_mock_partition_push_request_errors(
            ctypes.c_void_p(self._cluster),
            topic.encode(),
            ctypes.c_int32(partition),
            ctypes.c_int16(FETCH),
            ctypes.c_size_t(len(errors)),
            *map(ctypes.c_int, errors),
        )

    def _do(self, name: str, *arguments: bytes | int) -> None:
        error = getattr(self._lib, f"rd_kafka_mock_{name}")(self._cluster, *arguments)
        assert not error, (name, arguments, error)


@cache
def _library() -> Any:  # noqa: ANN401 - ctypes says no more
    """Return the library that this process has loaded, so that there is only one."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    path = next(line.split()[-1] for line in maps.splitlines() if "librdkafka" in line)
    lib = ctypes.CDLL(path)
    pointer = ctypes.c_void_p
    for name in ("conf_new", "new", "mock_cluster_new"):
        getattr(lib, f"rd_kafka_{name}").restype = pointer
    lib.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    lib.rd_kafka_conf_set.argtypes = [*[pointer] * 4, ctypes.c_size_t]
    lib.rd_kafka_new.argtypes = [ctypes.c_int, pointer, pointer, ctypes.c_size_t]
    lib.rd_kafka_mock_cluster_new.argtypes = [pointer, ctypes.c_int]
    for name in ("cluster_bootstraps", "cluster_destroy"):
        getattr(lib, f"rd_kafka_mock_{name}").argtypes = [pointer]
    lib.rd_kafka_destroy.argtypes = [pointer]
    number, text = ctypes.c_int, ctypes.c_char_p
    of_cluster: dict[str, list[Any]] = {
        "group_initial_rebalance_delay_ms": [ctypes.c_int32],
        "set_group_consumer_session_timeout_ms": [number],
        "set_group_consumer_heartbeat_interval_ms": [number],
        "topic_create": [text, number, number],
        "topic_set_error": [text, number],
        "partition_delete_records": [text, ctypes.c_int32, ctypes.c_int64],
        "broker_set_down": [ctypes.c_int32],
        "broker_set_up": [ctypes.c_int32],
        "push_request_errors_array": [ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(number)],
    }
    for name, kinds in of_cluster.items():
        getattr(lib, f"rd_kafka_mock_{name}").argtypes = [pointer, *kinds]
    return lib
