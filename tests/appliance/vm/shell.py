"""A shell at a serial console, as a person who has logged in has one."""

from base64 import b64encode
from itertools import count

from tests.appliance.vm.console import Console

# Under emulation on a busy machine each of these takes a third of it, and a moment elsewhere.
LOGIN_SECS = 240
BOOT_SECS = 400
_LOGIN = r"login: $"
_PIECE_CHARS = 2000


class Shell:
    """Runs one command after the other at the console; `sudo` has the password."""

    def __init__(self, console: Console, user: str, password: str) -> None:
        self._console = console
        self._user, self._password = user, password
        self._numbers = count(1)

    def log_in(self, *, at_prompt: bool = False) -> None:
        """Log in, and let sudo know the password for its usual time.

        `at_prompt` says that the prompt for the name was seen already.
        """
        console = self._console
        if not at_prompt:
            console.expect(_LOGIN, secs=LOGIN_SECS)
        console.send(f"{self._user}\n")
        console.answer(r"Password: $", self._password, LOGIN_SECS)
        which, seen = console.expect(r"[$#] $", _LOGIN, secs=LOGIN_SECS)
        assert which == 0, seen
        # A plain shell: no line editor that redraws, no prompt, no echo of what is typed.
        console.send("exec env PS1= PS2= TERM=dumb PAGER=cat sh\n")
        console.send("stty -echo -ixon cols 500; echo is-'plain'\n")
        console.expect(r"is-plain\n", secs=LOGIN_SECS)
        self.become_known()
        self.run("sudo dmesg -n 1")
        self.run("systemctl is-system-running --wait", code=None, secs=BOOT_SECS)

    def become_known(self) -> None:
        """Type the password for sudo, which then asks no more for a while."""
        self._console.send("sudo -K; sudo -p 'for-sudo: ' -v && echo sudo-'known'\n")
        self._console.answer(r"for-sudo: $", self._password, LOGIN_SECS)
        self._console.expect(r"sudo-known\n", secs=LOGIN_SECS)

    def start(self, command: str) -> int:
        """Type a command, for one that asks; its number is for `finish`."""
        number = next(self._numbers)
        # One line: with use_pty, Debian's default, sudo takes what is typed ahead for its command.
        self._console.send(f"{command}; printf '<<%s:{number}>>\\n' $?\n")
        return number

    def finish(self, number: int, secs: float = 60) -> tuple[int, str]:
        """Wait for the end of a command; returns its exit code, and what it printed last."""
        _, printed = self._console.expect(rf"<<(?=\d+:{number}>>\n)", secs=secs)
        _, code = self._console.expect(rf":{number}>>\n", secs=secs)
        return int(code), printed.replace("\r\n", "\n")

    def run(self, command: str, *, code: int | None = 0, secs: float = 60) -> str:
        """Run a command and return what it printed; `code` is the one it must end with."""
        number = self.start(command)
        ended, printed = self.finish(number, secs)
        assert code is None or ended == code, f"{command}: {ended}\n{printed}"
        return printed

    def write(self, path: str, text: str, *, mode: str = "0644", owner: str = "root:root") -> None:
        """Write a file as root."""
        coded = b64encode(text.encode()).decode()
        self.run(": >/tmp/coded")
        # The line discipline of a terminal keeps 4 KiB, and loses what comes beyond.
        for start in range(0, len(coded), _PIECE_CHARS):
            self.run(f"printf %s '{coded[start : start + _PIECE_CHARS]}' >>/tmp/coded")
        user, group = owner.split(":")
        self.run(
            "base64 -d /tmp/coded >/tmp/written && rm /tmp/coded && sudo install "
            f"-o {user} -g {group} -m {mode} /tmp/written {path} && rm /tmp/written"
        )
