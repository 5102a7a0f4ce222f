"""Sends that fail as a script says."""

import socket
from collections.abc import Callable


class Faults:
    """Real sends, but where the script has an errno for the nth call that is raised instead."""

    def __init__(self, script: dict[int, int]) -> None:
        self.script = script
        self.calls = 0

    def __call__(self, sender: socket.socket) -> Callable[[bytes], int]:
        def send(message: bytes) -> int:
            self.calls += 1
            number = self.script.get(self.calls)
            if number is not None:
                raise OSError(number, "scripted")
            return sender.send(message)

        return send
