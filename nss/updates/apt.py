"""apt with a configuration of its own: our repository, our key, our folders, nothing else.

apt verifies the signature of the index and the checksums of what it names. Its methods run as the
user `_apt`, so what they read and write is copied for that user, and what came is checked again
once it lies in a folder of root's.
"""

import contextlib
import hashlib
import os
import pwd
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from nss.updates import probe
from nss.updates.failures import ClientRefused, UpdateFailed
from nss.updates.plan import PACKAGE
from nss.updates.refusals import CLIENT_REFUSED, NEW_CERTIFICATE, refusal

_SPARE_SECS = 30.0
_STEP_SECS = 3600.0

_CONF = """\
Dir::State "{folder}/state";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "{folder}/cache";
Dir::Log "{folder}/log";
Dir::Etc "{folder}/etc";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "{folder}/etc/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::netrc "/dev/null";
Dir::Etc::netrcparts "/dev/null";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Update::Error-Mode "any";
APT::Install-Recommends "false";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Check-Valid-Until "true";
Acquire::Languages "none";
Acquire::Retries "0";
Acquire::http::Timeout "{timeout}";
Acquire::https::Timeout "{timeout}";
Acquire::http::Proxy "{proxy}";
Acquire::https::Proxy "{proxy}";
Acquire::http::AllowRedirect "false";
Acquire::https::AllowRedirect "false";
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a repository is reached."""

    repository: str
    suite: str
    key: bytes
    """The public key, armored or not."""
    timeout_secs: float
    client_certificate: bytes | None = None
    client_key: bytes | None = None
    trust: bytes | None = None
    proxy: str = "DIRECT"
    """With user and password, if the proxy wants them."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A version in the repository."""

    version: str
    size: int
    """Of the package, in bytes."""
    installed_size: int
    """On the disk, in bytes."""
    sha256: str
    spool_form: int | None
    """Of the spool that it writes; `None`: the package does not say."""


def prepare(folder: Path, access: Access) -> None:
    """Lay out apt's folders anew. Raises `OSError`."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("", "state/lists/partial", "cache/archives/partial", "etc", "log", "download"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name).chmod(0o755)
    owner = _apt_user()
    for name in ("state/lists/partial", "cache/archives/partial", "download"):
        _give(folder / name, owner)
    private = folder / "private"
    private.mkdir(mode=0o700)
    armored = access.key.lstrip().startswith(b"-----BEGIN PGP")
    key = folder / "etc" / ("key.asc" if armored else "key.gpg")
    key.write_bytes(access.key)
    key.chmod(0o644)
    conf = _CONF.format(
        folder=folder, timeout=max(1, round(access.timeout_secs)), proxy=access.proxy
    )
    tls = {
        "SslCert": access.client_certificate,
        "SslKey": access.client_key,
        "CAInfo": access.trust,
    }
    for option, data in tls.items():
        if data is not None:
            _write_private(private / option, data, owner)
            conf += f'Acquire::https::{option} "{private / option}";\n'
    asked = probe.asked(
        f"{access.repository}/dists/{access.suite}/InRelease", access.proxy, access.timeout_secs
    )
    _write_private(private / probe.PLAN, asked.encode(), owner)
    _give(private, owner)
    source = f"deb [arch=amd64 signed-by={key}] {access.repository} {access.suite} main\n"
    (folder / "etc/sources.list").write_text(source, encoding="ascii")
    _write_private(folder / "apt.conf", conf.encode(), None)


def offers(folder: Path, timeout_secs: float) -> list[Offer]:
    """Fetch the index and return what it offers, the newest first. Raises `UpdateFailed`."""
    began = time.monotonic()
    ran = _apt(folder, "apt-get", "update", secs=3 * timeout_secs + _SPARE_SECS)
    if ran.returncode:
        took = time.monotonic() - began
        raise _explained(folder, ran.stdout + ran.stderr, is_late=took >= timeout_secs)
    listed = _apt(folder, "apt-cache", "madison", PACKAGE)
    versions = [line.split("|")[1].strip() for line in listed.stdout.splitlines() if "|" in line]
    found = [_offer(folder, version) for version in dict.fromkeys(versions)]
    if not found:
        raise UpdateFailed(
            f"update: the repository has no package {PACKAGE}",
            tip="see updates.repository and updates.suite",
        )
    return found


def _explained(folder: Path, said: str, *, is_late: bool) -> UpdateFailed:
    """Return the error for what apt said; it has the same words for an end and for silence."""
    what = "the repository can't be used"
    if "Connection failed" in said or "handshake: A TLS fatal alert" in said:
        if is_late:
            return refusal("E: timed out: Connection failed", what)
        if alert := probe.alert(folder / "private"):
            return ClientRefused(f"update: {what}: {CLIENT_REFUSED}: {alert}", tip=NEW_CERTIFICATE)
    return refusal(said, what)


def _offer(folder: Path, version: str) -> Offer:
    """Return what the signed index says of a version."""
    shown = _apt(folder, "apt-cache", "show", f"{PACKAGE}={version}").stdout
    for stanza in shown.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", stanza, re.MULTILINE))
        if "SHA256" in fields and fields.get("Version") == version:
            form = fields.get("Spool-Form", "")
            return Offer(
                version,
                _whole(fields.get("Size")),
                _whole(fields.get("Installed-Size")) << 10,
                fields["SHA256"],
                int(form) if form.isdecimal() else None,
            )
    raise UpdateFailed(f"update: the index has no checksum of version {version}")


def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0


def check_dependencies(folder: Path, version: str) -> None:
    """Raise `UpdateFailed` when a version needs what this machine does not have."""
    arguments = ("--simulate", "--no-remove", "--allow-downgrades", "--reinstall", "install")
    ran = _apt(folder, "apt-get", *arguments, f"{PACKAGE}={version}")
    if ran.returncode:
        raise refusal(ran.stdout + ran.stderr, f"version {version} can't be installed")


def download(folder: Path, offer: Offer, into: Path) -> None:
    """Download a version to the file `into`, checked. Raises `UpdateFailed` and `OSError`."""
    place = folder / "download"
    ran = _apt(folder, "apt-get", "download", f"{PACKAGE}={offer.version}", cwd=place)
    if ran.returncode:
        raise refusal(ran.stdout + ran.stderr, f"version {offer.version} can't be downloaded")
    names = [path for path in place.iterdir() if path.name.endswith(".deb")]
    if len(names) != 1:
        raise UpdateFailed("update: apt downloaded no package, or more than one")
    number = os.open(names[0], os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(number, "rb") as found, into.open("wb") as kept:
        shutil.copyfileobj(found, kept)
        kept.flush()
        os.fsync(kept.fileno())
    into.chmod(0o644)
    with into.open("rb") as kept:
        digest = hashlib.file_digest(kept, "sha256").hexdigest()
    if digest != offer.sha256:
        into.unlink()
        raise UpdateFailed("update: the package is not the one that the signed index names")
    names[0].unlink()


def _apt(
    folder: Path, *command: str, secs: float = _STEP_SECS, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one of apt's commands, with nothing of this machine's configuration or environment."""
    try:
        return subprocess.run(  # noqa: S603 - the system's own
            ["/usr/bin/env", *command],
            cwd=cwd or folder,
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "LC_ALL": "C",
                "DEBIAN_FRONTEND": "noninteractive",
                "APT_CONFIG": str(folder / "apt.conf"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=secs,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise refusal("E: apt timed out", f"{command[0]} {command[1]}") from None


def _apt_user() -> tuple[int, int] | None:
    with contextlib.suppress(KeyError):
        entry = pwd.getpwnam("_apt")
        return entry.pw_uid, entry.pw_gid
    return None


def _give(path: Path, owner: tuple[int, int] | None) -> None:
    if owner is not None and os.geteuid() == 0:
        os.chown(path, *owner)


def _write_private(path: Path, data: bytes, owner: tuple[int, int] | None) -> None:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "wb") as file:
        file.write(data)
    _give(path, owner)
