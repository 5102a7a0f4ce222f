"""The follower against a model: whatever happens to the file, each line comes once, in order."""

import gzip
import os
import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from nss.config.sources import FileSourceConfig
from nss.sources.file.follow import Follower
from nss.telemetry import events


class FollowedFile(RuleBasedStateMachine):
    """A writer, log rotation and a follower that is stopped and started, in any order."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nss-follow-"))
        self.path = self.folder / "web.log"
        self.numbers = 0
        self.written = 0
        self.half = ""
        self.expected: list[str] = []
        self.optional: set[str] = set()
        self.still_open = False
        """Whether the writer may still write to the file rotated last."""
        self.received: list[str] = []
        self.position: str | None = None
        self.follower: Follower | None = None
        # Without a position nothing identifies a file that was rotated unread.
        self.write(1)
        self._catch_up()

    # What the writer does.

    @rule(lines=st.integers(1, 4))
    def write(self, lines: int) -> None:
        self.still_open = False
        text = ""
        for _ in range(lines):
            new = self._new_text()
            self.expected.append(self.half + new)
            self.half = ""
            text += new + "\n"
        self._append(self.path, text)

    @rule()
    def write_half(self) -> None:
        self.still_open = False
        text = self._new_text()
        self._append(self.path, text)
        self.half += text

    @precondition(lambda self: self.still_open)
    @rule()
    def write_late_to_the_rotated_file(self) -> None:
        text = self._new_text()
        self.expected.append(text)
        self._append(self.folder / "web.log.1", text + "\n")

    # What log rotation does.

    @precondition(lambda self: self.path.exists())
    @rule(create=st.booleans())
    def rotate(self, create: bool) -> None:  # noqa: FBT001 - rules take their arguments by name
        self._shift()
        self.path.rename(self.folder / "web.log.1")
        still_open = not self.half
        self._end_of_half(lost=False)
        self.still_open = still_open
        if create:
            self._append(self.path, "")

    @precondition(lambda self: self.path.exists())
    @rule()
    def rotate_with_a_date(self) -> None:
        self.numbers += 1
        self.path.rename(self.folder / f"web-20231006-{self.numbers:06}.log")
        self._end_of_half(lost=False)
        self._append(self.path, "")

    @precondition(lambda self: self.path.exists())
    @rule()
    def copy_and_truncate(self) -> None:
        self._catch_up()
        self._shift()
        shutil.copyfile(self.path, self.folder / "web.log.1")
        self._date(self.folder / "web.log.1")
        self.path.write_bytes(b"")
        self._date(self.path)
        self._end_of_half(lost=True)

    @precondition(lambda self: self.path.exists())
    @rule()
    def truncate(self) -> None:
        self._catch_up()
        self.path.write_bytes(b"")
        self._date(self.path)
        self._end_of_half(lost=True)

    @precondition(lambda self: self.path.exists())
    @rule(lines=st.integers(0, 3))
    def replace(self, lines: int) -> None:
        self._catch_up()
        self._end_of_half(lost=True)
        new = [self._new_text() for _ in range(lines)]
        self.expected += new
        written = self.folder / "being-written"
        written.write_text("".join(line + "\n" for line in new))
        self._date(written)
        written.rename(self.path)

    @precondition(lambda self: self.path.exists())
    @rule()
    def delete(self) -> None:
        self._catch_up()
        self._end_of_half(lost=True)
        self.path.unlink()

    @rule()
    def compress_all_rotated(self) -> None:
        self.still_open = False
        self._catch_up()
        for rotated in sorted(self.folder.iterdir()):
            if rotated != self.path and rotated.suffix != ".gz":
                self.optional.add(rotated.read_text().rpartition("\n")[2])
                packed = rotated.with_name(rotated.name + ".gz")
                packed.write_bytes(gzip.compress(rotated.read_bytes()))
                rotated.unlink()

    # What the follower does.

    @precondition(lambda self: self.follower is not None)
    @rule()
    def poll(self) -> None:
        self._poll()

    @rule()
    def catch_up(self) -> None:
        self._catch_up()

    @precondition(lambda self: self.follower is not None)
    @rule()
    def stop(self) -> None:
        self._stop()

    @rule()
    def start(self) -> None:
        self._start()

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        try:
            self.write(1)
            self._catch_up()
            self._stop()
            assert [line for line in self.received if line not in self.optional] == [
                line for line in self.expected if line not in self.optional
            ]
            for line in self.optional - {""}:
                assert self.received.count(line) <= 1
        finally:
            self._stop()
            shutil.rmtree(self.folder)
            events.clear()

    # How it is done.

    def _new_text(self) -> str:
        self.numbers += 1
        return f"<{self.numbers}>" * (1 if self.numbers % 5 else 100)

    def _append(self, path: Path, text: str) -> None:
        with path.open("a") as file:
            file.write(text)
        self._date(path)

    def _date(self, path: Path) -> None:
        """Date what was written, each time later: files of the same tick have no sure order."""
        self.written += 1
        os.utime(path, (1_700_000_000 + self.written,) * 2)

    def _shift(self) -> None:
        for number in range(40, 0, -1):
            for suffix in ("", ".gz"):
                old = self.folder / f"web.log.{number}{suffix}"
                if old.exists():
                    old.rename(self.folder / f"web.log.{number + 1}{suffix}")

    def _end_of_half(self, *, lost: bool) -> None:
        self.still_open = False
        if self.half:
            self.expected.append(self.half)
            if lost:
                self.optional.add(self.half)
            self.half = ""

    def _new_follower(self) -> Follower:
        settings = FileSourceConfig(name="web", path=self.path)
        return Follower(settings, self.position, settle_secs=0)

    def _poll(self) -> bool:
        """Read once; return whether there was nothing to do."""
        assert self.follower is not None
        batch = self.follower.read_available()
        if batch is not None:
            self.received += batch.data.decode().split("\n")[:-1]
            assert batch.records == batch.data.count(b"\n")
            self.position = batch.position
        return batch is None and self.follower.at_end

    def _catch_up(self) -> None:
        self._start()
        for _ in range(200):
            if self._poll() and self._poll():
                return
        raise AssertionError("the follower does not come to an end")

    def _stop(self) -> None:
        if self.follower is not None:
            self.follower.close()
            self.follower = None

    def _start(self) -> None:
        if self.follower is None:
            self.follower = self._new_follower()


def test_every_complete_line_comes_exactly_once_in_order() -> None:
    run_state_machine_as_test(
        FollowedFile,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
