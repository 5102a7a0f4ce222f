"""Machines in QEMU: by KVM where it works, emulated elsewhere."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Literal, Self

from tests.appliance.vm.console import Console

Firmware = Literal["bios", "uefi"]

QEMU = "qemu-system-x86_64"
MEMORY_MIB = 1280
TRIAL_SECS = 5
START_SECS = 20
OFF_SECS = 90
_UEFI = Path("/usr/share/OVMF")
_NUMBERS = count(1)

MACHINES: "list[Machine]" = []
"""Those at work, so that a failure can show their consoles."""

_EXIT_PORT, _TRIAL_CODE = 0xF4, 0x10
_BOOT_SECTOR = bytes((0xB0, _TRIAL_CODE, 0xBA, _EXIT_PORT, 0x00, 0xEE, 0xF4, 0xEB, 0xFD))
"""mov al, code; mov dx, port; out dx, al; hlt; jmp back: the emulator ends with (code << 1) | 1."""


@cache
def accelerator() -> str:
    """Return what machines run by: KVM only if a guest of nine bytes got to its end under it."""
    return "kvm" if Path("/dev/kvm").exists() and _runs_under("kvm") else "tcg,thread=multi"


def _runs_under(name: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "trial.img"
        disk.write_bytes(_BOOT_SECTOR.ljust(510, b"\0") + b"\x55\xaa")
        command = [
            *(QEMU, "-nodefaults", "-display", "none", "-m", "32", "-accel", name),
            *("-device", f"isa-debug-exit,iobase={_EXIT_PORT},iosize=4"),
            *("-drive", f"file={disk},format=raw,if=ide"),
        ]
        try:
            ran = subprocess.run(command, timeout=TRIAL_SECS, capture_output=True, check=False)  # noqa: S603 - ours
        except (OSError, subprocess.TimeoutExpired):
            return False
    return ran.returncode == (_TRIAL_CODE << 1) | 1


@dataclass
class Machine:
    """A machine with one disk, one network card and a serial console, used with `with`.

    `disk` is a qcow2 that it writes to, `tap` the end of the cable, `seed` a disk for cloud-init.
    """

    folder: Path
    disk: Path
    firmware: Firmware
    tap: str
    seed: Path | None = None
    cpus: int = 2
    more: Sequence[str] = ()
    mac: str = field(default_factory=lambda: f"52:54:00:4e:53:{next(_NUMBERS):02x}")
    console: Console = field(init=False)
    boot_started: float = 0.0
    """When it was switched on last, monotonic."""

    def __post_init__(self) -> None:
        self._qmp = self.folder / "qmp"
        self._variables = self.folder / "variables.fd"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if self.firmware == "uefi":
            shutil.copy(_UEFI / "OVMF_VARS_4M.fd", self._variables)
        self.console = Console(self.folder / "console.log")
        self.console.__enter__()
        MACHINES.append(self)
        try:
            self.switch_on()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        MACHINES.remove(self)
        self.cut_power()
        self.console.__exit__()

    def switch_on(self) -> None:
        """Start it; returns at once, the firmware is at work then."""
        assert self._process is None
        self._qmp.unlink(missing_ok=True)
        self.boot_started = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 - ours
            self._command(),
            stdin=self.console.far_end,
            stdout=self.console.far_end,
            stderr=self.console.far_end,
            cwd=self.folder,
        )

    def cut_power(self) -> None:
        """Kill it, as when the plug is pulled: nothing in it learns of that."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def power_off(self, secs: float = OFF_SECS) -> None:
        """Press the button, and wait until the machine is off."""
        assert self._process is not None
        self.order("system_powerdown")
        self._process.wait(secs)
        self._process = None

    def order(self, command: str, **arguments: object) -> Any:  # noqa: ANN401 - JSON of QEMU
        """Give an order over QEMU's machine protocol; returns what it answers."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(START_SECS)
            # The path of a socket is short; that of a folder of a test may not be.
            folder = os.open(self.folder, os.O_PATH)
            try:
                connection.connect(f"/proc/self/fd/{folder}/qmp")
            finally:
                os.close(folder)
            with connection.makefile("rwb") as lines:
                lines.readline()  # the greeting
                _answered(lines, "qmp_capabilities", {})
                return _answered(lines, command, arguments)

    def _command(self) -> list[str]:
        command = [
            *(QEMU, "-nodefaults", "-no-user-config", "-machine", "q35", "-accel", accelerator()),
            *("-cpu", "max", "-smp", str(self.cpus), "-m", str(MEMORY_MIB)),
            *("-display", "none", "-vga", "std"),
            *("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"),
            *("-qmp", "unix:qmp,server=on,wait=off"),
            *("-device", "virtio-rng-pci", "-rtc", "base=utc"),
            *("-drive", f"file={self.disk},if=none,id=disk,format=qcow2,cache=writeback"),
            *("-device", "virtio-blk-pci,drive=disk,bootindex=1"),
            *("-netdev", f"tap,id=net,ifname={self.tap},script=no,downscript=no"),
            *("-device", f"virtio-net-pci,netdev=net,mac={self.mac},romfile="),
        ]
        if self.seed is not None:
            command += ["-drive", f"file={self.seed},if=virtio,format=raw,readonly=on"]
        if self.firmware == "uefi":
            code = _UEFI / "OVMF_CODE_4M.fd"
            command += ["-drive", f"if=pflash,format=raw,readonly=on,file={code}"]
            command += ["-drive", f"if=pflash,format=raw,file={self._variables}"]
        return [*command, *self.more]


def _answered(lines: Any, command: str, arguments: dict[str, object]) -> Any:  # noqa: ANN401 - JSON
    lines.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
    lines.flush()
    while True:  # events come between
        answer = json.loads(lines.readline())
        assert "error" not in answer, answer
        if "return" in answer:
            return answer["return"]
