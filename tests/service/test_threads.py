"""`nss run` where the system starts few threads, or none."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nss.lab.generator import RecordGenerator
from nss.lab.ports import free_port
from nss.service.threads import LOOP_THREADS
from tests.service.conftest import COMMAND, ENV, Bench, Collector, Running, rendered, udp_feed

LIMITED = """
import ctypes, os, resource, sys
if os.getuid() == 0:  # whom no limit binds, nor who has these capabilities
    for capability in (CAP_SYS_ADMIN := 21, CAP_SYS_RESOURCE := 24):
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP := 24, capability, 0, 0, 0)
    os.setresuid(61_184 + os.getpid() % 4096, 0, 0)
resource.setrlimit(resource.RLIMIT_NPROC, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Runs a command that may have so many threads; without privileges, all of the user's together."""


async def limited(threads: int, config: Path) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LIMITED, str(threads), *COMMAND, "run", "--config", str(config)),
        env=ENV,
        cwd=config.parent,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
    )


@pytest.mark.skipif(os.getuid() != 0, reason="the threads of a user are many, and not only ours")
async def test_with_hardly_a_thread_to_spare_the_service_renders_without_more_and_reloads(
    bench: Bench, collector: Collector
) -> None:
    port, data = free_port(), RecordGenerator(3).batch(300)
    parts = (
        'threads = 4\n[spool]\nkind = "memory"\n',
        f'[sources.web]\nkind = "tcp"\nlisten = "127.0.0.1:{port}"\n',
    )
    bench.write(*parts, udp_feed(collector.port, "max_messages_per_sec = 2000"))
    running = Running(await limited(1 + LOOP_THREADS + 2, bench.config))
    bench.started.append(running)
    refused = await running.reported("threads_refused")
    await running.reported("service_started")

    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.close()
    await writer.wait_closed()
    await collector.arrived(300)
    bench.write(*parts, udp_feed(collector.port, "max_messages_per_sec = 1000"))
    running.send_signal(signal.SIGHUP)
    reloaded = await running.reported("configuration_reloaded")
    running.send_signal(signal.SIGTERM)

    assert (refused["wanted"], refused["started"]) == (4, 0)
    assert collector.messages == rendered(data, "MCAS")
    assert reloaded["started"] == ["feed mcas"]
    assert await running.ended() == 0
    assert [event["event"] for event in running.events].count("threads_refused") == 1


async def test_without_those_of_the_event_loop_it_does_not_start_and_says_what_to_do(
    bench: Bench, collector: Collector
) -> None:
    bench.write('[sources.web]\nkind = "stdin"\n', udp_feed(collector.port))
    process = await limited(1, bench.config)
    _, said = await asyncio.wait_for(process.communicate(), 10)

    assert process.returncode == 70
    assert said.decode() == (
        "nss: service: 0 of 4 threads could be started\n"
        "Try: allow more (TasksMax of the unit, the user's limit of processes), or more memory\n"
    )


ALONE = """
import asyncio, resource, threading
from pathlib import Path
from nss.service.threads import off_loop

async def main():
    print(await off_loop(threading.current_thread) is threading.main_thread())
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (16 << 20),) * 2)
    threading.stack_size(64 << 20)
    print(await off_loop(threading.current_thread) is threading.main_thread())
    try:
        await off_loop(lambda: 1 // 0)
    except ZeroDivisionError as error:
        print(error)

asyncio.run(main())
"""


def test_what_no_thread_can_do_is_done_by_the_event_loop() -> None:
    command = [sys.executable, "-c", ALONE]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)  # noqa: S603
    assert ran.stdout.splitlines() == ["False", "True", "integer division or modulo by zero"]
