"""`make repository`: what is signed, by whom, and what it refuses."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.updates.repositories import Trial, build, run, tiny

pytestmark = pytest.mark.timeout(200)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A keyring with a secret key."""
    place = tmp_path / "gpg"
    place.mkdir(mode=0o700)
    made = ("--passphrase", "", "--quick-generate-key", "Own", "ed25519", "sign", "1d")
    run("gpg", "--homedir", str(place), "--batch", "--pinentry-mode", "loopback", *made)
    yield place
    end_agents(place)


def end_agents(home: Path) -> None:
    """End what gpg has started in the background; it would stay for good."""
    run("gpgconf", "--homedir", str(home), "--kill", "all")


def gpg(home: Path, *arguments: str) -> str:
    return run("gpg", "--homedir", str(home), "--batch", *arguments).stdout


def fingerprint(home: Path) -> str:
    lines = gpg(home, "--list-keys", "--with-colons").splitlines()
    return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))


def is_signed_by(repository: Path, key: Path, tmp_path: Path) -> bool:
    """Verify both signatures with nothing but a public key."""
    place = tmp_path / "verifier"
    place.mkdir(mode=0o700)
    gpg(place, "--import", str(key))
    dist = repository / "dists/stable"
    gpg(place, "--verify", str(dist / "InRelease"))
    gpg(place, "--verify", str(dist / "Release.gpg"), str(dist / "Release"))
    end_agents(place)
    return True


def test_a_trial_key_is_called_one_and_signs_again(
    packages: dict[str, Path], tmp_path: Path
) -> None:
    trial = Trial(tmp_path)
    said = trial.publish(packages["1.0"])
    assert "FOR TRIAL ONLY" in said.stderr
    key = trial.key
    secret = tmp_path / "repository-trial-key"
    assert secret.stat().st_mode & 0o077 == 0

    trial.publish(packages["1.9"])

    assert trial.key == key
    assert is_signed_by(trial.folder, trial.folder / "key.asc", tmp_path)
    index = (trial.folder / "dists/stable/main/binary-amd64/Packages").read_text()
    assert index.count("Package: nss-streamer") == 2
    assert "Spool-Form: 7" in index


@pytest.mark.parametrize("by", ["file", "id"])
def test_a_key_of_one_s_own_signs_by_file_and_by_id(
    packages: dict[str, Path], tmp_path: Path, home: Path, by: str
) -> None:
    secret = tmp_path / "secret.asc"
    secret.write_text(gpg(home, "--armor", "--export-secret-keys"))
    key = str(secret) if by == "file" else fingerprint(home)
    into = tmp_path / "repository"
    keyring = home if by == "id" else tmp_path / "nobody"
    keyring.mkdir(mode=0o700, exist_ok=True)

    said = build(*("--into", str(into), "--key", key, str(packages["1.0"])), GNUPGHOME=str(keyring))

    assert "TRIAL" not in said.stderr
    assert (into / "key.asc").read_text() == gpg(home, "--armor", "--export")
    assert "PRIVATE" not in (into / "key.asc").read_text()
    assert is_signed_by(into, into / "key.asc", tmp_path)
    assert list(keyring.iterdir()) == [] or by == "id"


def test_a_file_without_a_secret_key_signs_nothing(
    trial: Trial, packages: dict[str, Path], tmp_path: Path
) -> None:
    into = tmp_path / "repository"
    said = build(
        *("--into", str(into), "--key", str(trial.folder / "key.asc"), str(packages["1.0"])),
        is_good=False,
    )
    assert "no secret key" in said.stderr
    assert not (into / "dists").exists()


def test_a_published_version_never_changes(trial: Trial, tmp_path: Path) -> None:
    mine = trial.copy(tmp_path / "mine")
    before = (mine.folder / "dists/stable/InRelease").read_bytes()
    other = tiny(tmp_path, "1.10", more="Section: misc\n")
    said = build("--into", str(mine.folder), str(other), is_good=False)
    assert "never changes" in said.stderr
    assert (mine.folder / "dists/stable/InRelease").read_bytes() == before


@pytest.mark.parametrize("wrong", [{"name": "other"}, {"architecture": "arm64"}])
def test_another_package_is_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    made = tiny(tmp_path, "1.0", **wrong)
    said = build("--into", str(tmp_path / "repository"), str(made), is_good=False)
    assert "is no package nss-streamer for amd64" in said.stderr


def test_a_folder_with_a_long_name_is_as_good(packages: dict[str, Path], tmp_path: Path) -> None:
    # A socket beside the trial key would have a name that is too long.
    into = tmp_path / ("long" * 25) / "repository"
    into.parent.mkdir()
    build("--into", str(into), str(packages["1.0"]))
    assert (into / "key.asc").read_text().startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")


def test_the_oldest_versions_go(packages: dict[str, Path], tmp_path: Path) -> None:
    into = tmp_path / "repository"
    build("--into", str(into), "--keep", "2", *map(str, packages.values()))
    names = sorted(path.name for path in (into / "pool").iterdir())
    assert names == ["nss-streamer_1.10_amd64.deb", "nss-streamer_1.9_amd64.deb"]
