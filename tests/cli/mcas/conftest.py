"""The MCAS commands as an administrator runs them: at a terminal, and from scripts."""

import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pexpect
import pytest

from nss.lab.cloud import CloudLab
from nss.mcas.credentials import CredentialsStore, McasCredentials
from nss.secret import Secret
from tests.cli.conftest import COMMAND, ENV

PROMPT_SECS = 20
UPLOADS = '[feeds.up.sink]\nkind = "cloud_discovery"\n'


@dataclass
class Office:
    """A machine with a configuration file, and the lab it talks to."""

    folder: Path
    lab: CloudLab
    environ: dict[str, str] = field(default_factory=dict)
    extra: str = ""
    feeds: str = UPLOADS

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def config(self) -> Path:
        path = self.folder / "nss.toml"
        path.write_text(
            f'[service]\nstate_directory = "{self.state}"\ncontrol_socket = "nss.sock"\n'
            f'[mcas]\nca_file = "{self.lab.ca_file}"\ntimeout_secs = 5\n{self.extra}\n{self.feeds}'
        )
        return path

    @property
    def store(self) -> CredentialsStore:
        return CredentialsStore(self.state, {})

    def store_good(self) -> McasCredentials:
        """Store what the lab takes."""
        found = McasCredentials(
            method="secret",
            client_id=self.lab.client_id,
            client_secret=Secret(self.lab.client_secret),
            authentication_url=self.lab.authentication_url,
            api_url=self.lab.api_url,
            tested_at=1.0,
        )
        self.store.save(found)
        return found

    @property
    def good(self) -> list[str]:
        """The options of what the lab takes, without the secret."""
        lab = self.lab
        return [
            *("--client-id", lab.client_id, "--api-url", lab.api_url),
            *("--authentication-url", lab.authentication_url),
        ]

    def run(
        self, name: str, *arguments: str, data: str = "", environ: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command without a terminal."""
        return subprocess.run(  # noqa: S603 - ours
            [*COMMAND, name, "--config", str(self.config), *arguments],
            input=data,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=ENV | self.environ | (environ or {}),
            timeout=30,
            check=False,
        )

    def terminal(self, name: str, *arguments: str) -> "Terminal":
        """Start a command at a terminal."""
        program, *rest = COMMAND
        return Terminal(
            pexpect.spawn(
                program,
                [*rest, name, "--config", str(self.config), *arguments],
                env=ENV | self.environ | {"TERM": "dumb", "COLUMNS": "200"},
                cwd=str(self.folder),
                encoding="utf-8",
                timeout=PROMPT_SECS,
                dimensions=(50, 200),
                # Whoever runs tests in the background may ignore it, which is inherited.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        )

    def audited(self) -> list[tuple[str, str, str]]:
        """What the audit log has: action, outcome and reason."""
        path = self.state / "audit.log"
        lines = path.read_bytes().splitlines() if path.exists() else []
        found = [orjson.loads(line) for line in lines]
        return [(entry["action"], entry["outcome"], entry.get("reason", "")) for entry in found]

    def everything_written(self) -> str:
        """All text of files that others may read."""
        others = stat.S_IRWXG | stat.S_IRWXO
        files = [path for path in self.state.rglob("*") if path.is_file()]
        return "".join(path.read_text() for path in files if path.stat().st_mode & others)


class Terminal:
    """A command at a terminal, and the person in front of it."""

    def __init__(self, process: "pexpect.spawn[str]") -> None:
        self.process = process
        self.seen = ""

    def answer(self, prompt: str, text: str) -> str:
        """Wait for a prompt and answer it; return what came before."""
        self.process.expect(re.escape(prompt) + r"[^\n]*: ")
        before = self._see()
        self.process.sendline(text)
        return before

    def confirm(self, question: str, text: str) -> str:
        """Wait for a question of yes or no and answer it; return what came before."""
        return self.answer(question, text)

    def interrupt(self, prompt: str) -> None:
        """Press Ctrl-C at a prompt."""
        self.process.expect(re.escape(prompt))
        self._see()
        self.process.sendintr()

    def end_input(self, prompt: str) -> None:
        """Press Ctrl-D at a prompt."""
        self.process.expect(re.escape(prompt))
        self._see()
        self.process.sendeof()

    def ended(self) -> tuple[int, str]:
        """Return the exit code and the last of what was shown."""
        self.process.expect(pexpect.EOF)
        last = self._see()
        self.process.close()
        code = self.process.exitstatus
        return (-1 if code is None else code), last

    def _see(self) -> str:
        before = (self.process.before or "").replace("\r\n", "\n")
        after = self.process.after
        self.seen += before + (after if isinstance(after, str) else "")
        return before


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    (tmp_path / "state").mkdir()
    (tmp_path / "lab").mkdir()
    with CloudLab(tmp_path / "lab", requests_per_minute=1000) as lab:
        yield Office(tmp_path, lab)
