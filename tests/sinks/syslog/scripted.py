"""Runs of datagrams that fail, or see something happen, as a script says."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from formats.lines import Lines
from nss.sinks.syslog.wire import active


class Interrupted:
    """Real runs, cut before each message for which something is to happen.

    What happens before the nth message may return an errno: then that is what its send came to.
    `calls` counts the sends.
    """

    def __init__(self, moments: Mapping[int, Callable[[], int | None]]) -> None:
        self.moments = moments
        self.calls = 0
        self._run = active().send_run

    def __call__(
        self, lines: Lines, header: bytes, descriptors: Sequence[int], ports: bytes | None
    ) -> tuple[int, int]:
        sent = error = 0
        while sent < len(lines) and not error:
            nth = self.calls + 1
            error = self.moments.get(nth, int)() or 0
            if error:
                self.calls += 1
                break
            end = min([sent + other - nth for other in self.moments if other > nth] + [len(lines)])
            some = None if ports is None else ports[sent:end]
            count, error = self._run(lines[sent:end], header, descriptors, some)
            sent += count
            self.calls += count + bool(error)
        return sent, error


class Faults(Interrupted):
    """Real runs, but where the script has an errno for the nth message."""

    def __init__(self, script: Mapping[int, int]) -> None:
        super().__init__({nth: partial(int, error) for nth, error in script.items()})
