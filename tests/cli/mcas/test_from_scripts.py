"""The MCAS commands without a terminal: options, files, the environment, JSON."""

import os
import ssl
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import orjson
import pytest

from nss.lab.cloud import Fault
from nss.mcas.uploaded import UploadedFiles, file_name
from tests.cli.conftest import COMMAND, ENV, Nss
from tests.cli.mcas.conftest import UPLOADS, Office

pytestmark = pytest.mark.long

VARIABLE = "NSS_MCAS_CLIENT_SECRET"


@pytest.mark.parametrize("way", ["file", "standard input", "environment"])
def test_the_secret_comes_from_anywhere_but_an_argument(office: Office, way: str) -> None:
    secret = office.lab.client_secret
    path = office.folder / "secret"
    path.write_text(secret + "\n")
    path.chmod(0o600)
    match way:
        case "file":
            ran = office.run("configure-mcas2", *office.good, "--client-secret-file", str(path))
        case "standard input":
            ran = office.run(
                "configure-mcas2", *office.good, "--client-secret-file", "-", data=f"{secret}\n"
            )
        case _:
            ran = office.run("configure-mcas2", *office.good, environ={VARIABLE: secret})
    stored = office.store.load()
    assert (ran.returncode, ran.stderr) == (0, "")
    assert stored is not None
    assert stored.client_secret is not None
    assert stored.client_secret.reveal() == secret
    assert secret not in ran.stdout


def test_a_secret_file_that_everybody_may_read_is_refused(office: Office) -> None:
    path = office.folder / "secret"
    path.write_text(office.lab.client_secret)
    path.chmod(0o644)
    ran = office.run("configure-mcas2", *office.good, "--client-secret-file", str(path))
    assert (ran.returncode, ran.stderr) == (
        64,
        f"nss: configure-mcas2: everybody may read the secret ({path})\nTry: chmod o= {path}\n",
    )


def test_what_is_missing_is_reported_by_its_options(office: Office) -> None:
    ran = office.run("configure-mcas2", "--client-id", office.lab.client_id)
    assert ran.returncode == 64
    assert ran.stderr == (
        "nss: configure-mcas2: missing: Client Secret, Authentication URL, API URL\n"
        f"Try: give --client-secret-file (or the variable {VARIABLE}), --authentication-url, "
        "--api-url, or run it at a terminal\n"
    )
    assert list(office.state.iterdir()) == []


def test_a_bad_option_is_a_sentence(office: Office) -> None:
    ran = office.run("configure-mcas2", "--client-id", "me")
    assert ran.returncode == 64
    assert ran.stderr.startswith("nss: configure-mcas2: the Client ID is not a GUID\nTry: ")


def test_the_secret_can_not_be_an_argument(office: Office) -> None:
    ran = office.run("configure-mcas2", *office.good, "--client-secret", "private~private~123")
    assert ran.returncode == 64
    assert "No such option" in ran.stderr
    assert list(office.state.iterdir()) == []


def test_a_test_that_fails_stores_nothing(office: Office) -> None:
    office.lab.entra.refuse("AADSTS7000222")
    environ = {VARIABLE: office.lab.client_secret}
    ran = office.run("configure-mcas2", *office.good, environ=environ)
    assert ran.returncode == 69
    assert "the Client Secret has expired (AADSTS7000222)" in ran.stdout
    assert "Try: " in ran.stdout
    assert ran.stderr == "nss: nothing was stored\n"
    assert office.store.load() is None
    assert [outcome for _, outcome, _ in office.audited()] == ["failed"]


def test_a_failed_test_leaves_what_was_stored(office: Office) -> None:
    before = office.store_good()
    office.lab.entra.refuse("AADSTS7000222")
    ran = office.run("configure-mcas2")
    assert ran.returncode == 69
    assert office.store.load() == before


def test_json_has_the_steps(office: Office) -> None:
    environ = {VARIABLE: office.lab.client_secret}
    ran = office.run("configure-mcas2", *office.good, "--json", environ=environ)
    shown = orjson.loads(ran.stdout)
    assert (shown["stored"], shown["tested"]) == (True, True)
    assert [(step["name"], step["ok"]) for step in shown["steps"]] == [
        ("sign in", True),
        ("role", True),
        ("API", True),
        ("data source", True),
    ]


def test_untested_credentials_are_stored_if_wanted_and_it_is_said(office: Office) -> None:
    office.lab.entra.refuse("AADSTS7000222")
    environ = {VARIABLE: office.lab.client_secret}
    ran = office.run("configure-mcas2", *office.good, "--skip-test", environ=environ)
    stored = office.store.load()
    shown = office.run("show-mcas2")
    assert (ran.returncode, "It was NOT tested." in ran.stdout) == (0, True)
    assert stored is not None
    assert stored.tested_at is None
    assert "Tested:             never" in shown.stdout
    assert office.audited() == [("configure-mcas2", "stored untested", "")]


def test_a_certificate_instead_of_a_secret(office: Office) -> None:
    ran = office.run("configure-mcas2", *office.good, "--certificate", str(office.lab.certificate))
    stored = office.store.load()
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    assert stored is not None
    assert (stored.method, stored.certificate, stored.client_secret) == (
        "certificate",
        office.lab.certificate,
        None,
    )


def test_a_machine_identity_without_any_secret(office: Office) -> None:
    office.environ["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = office.lab.managed_identity_url
    ran = office.run("configure-mcas2", "--managed-identity", "--api-url", office.lab.api_url)
    stored = office.store.load()
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    assert stored is not None
    assert (stored.method, stored.client_secret) == ("managed_identity", None)


def test_a_legacy_token_goes_when_oauth_has_passed(office: Office) -> None:
    token = office.store.token_path
    token.write_text(office.lab.legacy_token)
    token.chmod(0o600)
    shown = office.run("show-mcas2")
    refused = office.run("configure-mcas")
    office.lab.entra.refuse("AADSTS7000222", times=1)
    environ = {VARIABLE: office.lab.client_secret}
    office.run("configure-mcas2", *office.good, environ=environ)
    kept = token.exists()
    ran = office.run("configure-mcas2", *office.good, environ=environ)
    assert "There is a legacy token." in shown.stdout
    assert refused.returncode == 64
    assert refused.stderr == (
        "nss: configure-mcas: legacy tokens can't be created or changed any more. The token that "
        "is here keeps working for uploads.\nTry: sudo nss configure-mcas2, which signs in with "
        "OAuth 2.0\n"
    )
    assert kept
    assert "The legacy token was removed" in ran.stdout
    assert not token.exists()
    assert office.lab.legacy_token not in shown.stdout + ran.stdout + office.everything_written()


def test_configure_mcas_points_to_its_successor(office: Office) -> None:
    ran = office.run("configure-mcas")
    assert (ran.returncode, ran.stdout) == (64, "")
    assert "sudo nss configure-mcas2" in ran.stderr


def test_what_is_stored_is_shown_without_the_secret(office: Office) -> None:
    nothing = office.run("show-mcas2")
    stored = office.store_good()
    shown, as_json = office.run("show-mcas2"), office.run("show-mcas2", "--json")
    assert (nothing.returncode, "Nothing is stored" in nothing.stdout) == (1, True)
    assert shown.returncode == 0
    assert f"Client ID:          {stored.client_id}" in shown.stdout
    assert "Client Secret:      ***" in shown.stdout
    facts = orjson.loads(as_json.stdout)["stored"]
    assert (facts["client_secret"], facts["client_id"]) == ("***", stored.client_id)
    assert office.lab.client_secret not in shown.stdout + as_json.stdout


def test_damaged_credentials_are_replaced(office: Office) -> None:
    office.store.path.write_text("nonsense")
    office.store.path.chmod(0o600)
    environ = {VARIABLE: office.lab.client_secret}
    ran = office.run("configure-mcas2", *office.good, environ=environ)
    assert ran.returncode == 0, ran.stdout
    assert "credentials" in ran.stderr
    assert office.store.load() is not None


@pytest.mark.skipif(Path("/etc/nss/nss.toml").exists(), reason="this machine is configured")
def test_the_usual_file_may_be_missing_and_no_other(office: Office, nss: Nss) -> None:
    usual = nss("show-mcas2")
    other = office.run("show-mcas2", "--config", str(office.folder / "missing.toml"))
    assert (usual.returncode, b"/var/lib/nss" in usual.stdout) == (1, True)
    assert (other.returncode, "no such file" in other.stderr) == (66, True)


def test_a_machine_identity_after_a_secret(office: Office) -> None:
    office.store_good()
    office.environ["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = office.lab.managed_identity_url
    ran = office.run("configure-mcas2", "--managed-identity")
    stored = office.store.load()
    assert ran.returncode == 0, ran.stdout
    assert stored is not None
    assert (stored.method, stored.client_id) == ("managed_identity", "")


def test_two_ways_to_sign_in_exclude_each_other(office: Office) -> None:
    ran = office.run(
        "configure-mcas2", "--managed-identity", "--certificate", str(office.lab.certificate)
    )
    assert ran.returncode == 64
    assert "exclude each other" in ran.stderr


def test_authorities_that_are_none_are_reported_and_not_thrown(office: Office) -> None:
    office.store_good()
    office.lab.ca_file.write_text("nothing")
    ran = office.run("verify-mcas2")
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert "wrong" in ran.stdout


def uploaded(office: Office, data: bytes) -> str:
    """Upload a file of a feed as the service does; return its name."""
    name = file_name("up", time.time(), 1, gzip=False)
    (office.state / "uploads").mkdir(exist_ok=True)
    files = UploadedFiles(office.state / "uploads", "up")
    files.begin(name, time.time())
    lab = office.lab
    context = ssl.create_default_context(cafile=lab.ca_file)
    with httpx.Client(verify=context, trust_env=False) as client:
        query = {"filename": name, "source": "ZSCALER_QRADAR_SYSLOG"}
        token = {"authorization": f"Token {lab.legacy_token}"}
        base = f"{lab.api_url}/api/v1/discovery"
        url = client.get(f"{base}/upload_url/", params=query, headers=token).json()["url"]
        client.put(url, content=data, headers={"x-ms-blob-type": "BlockBlob"})
        done = {"uploadUrl": url, "inputStreamName": "NSS"}
        assert client.post(f"{base}/done_upload/", json=done, headers=token).json()["success"]
    files.finish(time.time())
    assert lab.parser.wait_idle()
    return name


def test_verify_shows_files_that_could_not_be_used_and_ends_with_1(office: Office) -> None:
    office.store_good()
    name = uploaded(office, b"\0")
    ran, as_json = office.run("verify-mcas2"), office.run("verify-mcas2", "--json")
    text = f"Cloud Discovery could not use the file {name}: Unsupported file type"
    assert (ran.returncode, as_json.returncode) == (1, 1)
    assert f"wrong parse results: {text}\n      Try: set gzip = false" in ran.stdout
    assert f" {name}: Unsupported file type\n" in ran.stdout
    assert "parse results: 0 parsed, 1 failed, 0 pending" in ran.stdout
    shown = orjson.loads(as_json.stdout)
    (failure,) = shown["parse_failures"]
    assert (failure["text"], failure["file"], failure["feed"]) == (
        "Unsupported file type",
        name,
        "up",
    )
    assert (shown["ok"], shown["parse_results"]["failed"]) == (False, 1)
    assert shown["parse_results_unreadable"] is None


def test_verify_calls_pending_what_is_pending(office: Office) -> None:
    office.store_good()
    office.lab.mcas.results_delay_secs = 3600
    uploaded(office, b"\0")
    ran = office.run("verify-mcas2")
    assert ran.returncode == 0
    assert "parse results: 0 parsed, 0 failed, 1 pending" in ran.stdout


def test_verify_says_when_results_can_not_be_read(office: Office) -> None:
    office.store_good()
    uploaded(office, b"\0")
    office.lab.mcas.permits_governance = False
    ran, as_json = office.run("verify-mcas2"), office.run("verify-mcas2", "--json")
    assert ran.returncode == 0
    assert "parse results can't be read: MCAS does not permit it: HTTP 403" in ran.stdout
    shown = orjson.loads(as_json.stdout)
    assert (shown["parse_failures"], shown["parse_results"]) == (None, None)
    assert shown["parse_results_unreadable"].startswith("MCAS does not permit it")


def test_verify_says_when_no_upload_is_known_or_names_can_not_be_read(office: Office) -> None:
    office.store_good()
    assert "no upload from this machine is known" in office.run("verify-mcas2").stdout
    uploaded(office, b"\0")
    office.feeds = ""
    assert "no upload from this machine is known" in office.run("verify-mcas2").stdout
    office.feeds = UPLOADS
    uploaded(office, b"\0")
    (office.state / "uploads" / "up.files.json").write_text("{")
    ran = office.run("verify-mcas2")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "parse results can't be read: the names of uploaded files: " in ran.stdout


def test_a_legacy_token_that_is_none_is_reported_beside_the_rest(office: Office) -> None:
    office.store_good()
    office.store.token_path.write_text("nonsense")
    office.store.token_path.chmod(0o600)
    shown, refused = office.run("show-mcas2"), office.run("configure-mcas")
    assert (shown.returncode, "Client ID:" in shown.stdout) == (0, True)
    assert "token" in shown.stderr
    assert refused.returncode == 64


def test_a_fault_elsewhere_in_the_file_is_no_obstacle(office: Office) -> None:
    office.store_good()
    office.extra = "[sources.web]\nkind = 'nonsense'\n"
    assert office.run("show-mcas2").returncode == 0


def test_a_fault_in_its_own_section_is_reported(office: Office) -> None:
    office.extra = "data_sauce = 'NSS'\n"
    ran = office.run("show-mcas2")
    assert ran.returncode == 78
    assert "mcas.data_sauce" in ran.stderr


def test_a_key_of_its_section_that_lacks_another_is_reported(office: Office) -> None:
    office.extra = "proxy_auth_file = 'auth'\n"
    ran = office.run("show-mcas2")
    assert ran.returncode == 78
    assert "mcas.proxy_auth_file" in ran.stderr
    assert "needs proxy as well" in ran.stderr


def test_a_missing_state_directory_is_reported(office: Office) -> None:
    office.state.rmdir()
    ran = office.run("configure-mcas2", *office.good)
    assert ran.returncode == 78
    problem, tip = ran.stderr.splitlines()
    assert problem == f"nss: credentials: there is no folder to keep them in ({office.state})"
    assert tip.startswith("Try: create it for the user that nss runs as")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_learns_who_may(office: Office) -> None:
    code = (
        "import os, sys; os.setgid(65534); os.setuid(65534); "
        f"os.execv({sys.executable!r}, [{sys.executable!r}, '-P', '-m', 'cli.main', "
        f"'configure-mcas2', '--config', {str(office.config)!r}])"
    )
    for folder in (office.folder, *office.folder.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o755)
    ran = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", code],
        input="",
        capture_output=True,
        text=True,
        env=ENV,
        cwd="/",
        timeout=30,
        check=False,
    )
    if "ModuleNotFoundError" in ran.stderr or "Permission denied" in ran.stderr:
        pytest.skip(f"another user can't run this Python: {ran.stderr.splitlines()[-1]}")
    assert ran.returncode == 78
    assert "needs root or the user root" in ran.stderr


def test_verify_shows_what_arrived(office: Office) -> None:
    office.store_good()
    ran = office.run("verify-mcas2")
    assert ran.returncode == 0, ran.stdout
    lines = ran.stdout.splitlines()
    assert lines[:7] == [
        "ok    sign in: Entra gave a token",
        "ok    role: the token has Discovery.manage",
        "ok    API: MCAS answers",
        'ok    data source: the data source "NSS" is there',
        "ok    uploads: the feed uploads: up",
        "warn  service: the service does not answer: while it is stopped nothing is uploaded",
        "      Try: sudo nss start",
    ]
    assert lines[7].startswith("      token type Bearer, expires in ")
    assert lines[9] == '      data source "NSS": last data received never, files failed 0'
    assert "eyJ" not in ran.stdout


def test_verify_is_no_yes_when_no_feed_uploads(office: Office) -> None:
    office.store_good()
    office.feeds = '[feeds.mcas.sink]\nkind = "syslog_udp"\n'
    ran, as_json = office.run("verify-mcas2"), office.run("verify-mcas2", "--json")
    said = "no feed uploads records to MCAS: it gets none, except through a log collector"
    remedy = "sudo nss configure adds a feed that uploads; then sudo nss reload"
    assert (ran.returncode, as_json.returncode) == (1, 1)
    assert f"wrong uploads: {said}\n      Try: {remedy}\n" in ran.stdout
    assert orjson.loads(as_json.stdout)["ok"] is False
    office.feeds = '[sync]\ntarget = "file"\n'
    ran = office.run("verify-mcas2")
    assert ran.returncode == 0, "the credentials may be for the sync alone"
    assert f"warn  uploads: {said}\n      Try: {remedy}\n" in ran.stdout


def test_verify_is_no_yes_before_the_service_has_the_feed(office: Office) -> None:
    office.store_good()
    office.extra = '[spool]\nkind = "memory"\n[sources.in]\nkind = "tcp"\nlisten = "127.0.0.1:0"\n'
    siem = '[feeds.siem]\nformat = "JSON"\n[feeds.siem.sink]\nkind = "file"\npath = "out"\n'
    upload = '[feeds.up]\nformat = "MCAS"\n[feeds.up.sink]\nkind = "cloud_discovery"\n'
    office.feeds = siem
    command = [*COMMAND, "run", "--config", str(office.config)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=ENV) as service:  # noqa: S603 - ours
        try:
            while office.run("status").returncode == 69:
                assert service.poll() is None, "it has ended"
            office.feeds = siem + upload
            before = office.run("verify-mcas2")
            office.run("reload")
            after = office.run("verify-mcas2")
        finally:
            service.kill()
    said = "wrong service: the running service has no feed up: the file has changed"
    assert f"{said}\n      Try: sudo nss reload\n" in before.stdout
    assert (before.returncode, after.returncode) == (1, 0)
    assert "ok    service: it runs, with all feeds that upload\n" in after.stdout


def test_check_says_when_nothing_is_uploaded(office: Office) -> None:
    udp = '\n[feeds.mcas]\nformat = "MCAS"\n[feeds.mcas.sink]\nkind = "syslog_udp"\n'
    udp += 'destinations = ["127.0.0.1:514"]\n'
    upload = '\n[feeds.up]\nformat = "MCAS"\n[feeds.up.sink]\nkind = "cloud_discovery"\n'
    spool = office.folder / "spool.db"
    office.extra = f'[spool]\npath = "{spool}"\n[sources.in]\nkind = "stdin"\n'
    office.feeds = udp
    assert office.run("check").stderr == "", "a log collector needs no credentials"
    office.feeds = upload
    no_credentials = office.run("check")
    office.store_good()
    good = office.run("check")
    office.feeds = udp
    no_feed = office.run("check")
    assert (no_credentials.returncode, good.returncode, no_feed.returncode) == (0, 0, 0)
    assert good.stderr == ""
    assert no_credentials.stderr == (
        "nss: warning: feed up: nothing is uploaded yet, as there are no credentials for MCAS "
        f"({office.state / 'mcas.json'})\nTry: sudo nss configure-mcas2\n"
    )
    assert no_feed.stderr == (
        "nss: warning: credentials for MCAS are stored, and no feed uploads\n"
        "Try: sudo nss configure adds a feed that uploads; then sudo nss reload\n"
    )


def test_verify_as_json(office: Office) -> None:
    office.store_good()
    ran = office.run("verify-mcas2", "--json")
    shown = orjson.loads(ran.stdout)
    assert (shown["ok"], shown["token_type"], shown["data_source"]["name"]) == (
        True,
        "Bearer",
        "NSS",
    )
    assert (shown["parse_failures"], "eyJ" in ran.stdout) == ([], False)


@pytest.mark.parametrize(
    ("fault", "step", "field"),
    [
        (Fault("mcas", "streams", "status", 403, body=b"{}"), "API", "role"),
        (Fault("mcas", "streams", "status", 404, body=b"{}"), "API", "api_url"),
        (Fault("mcas", "streams", "reset"), "API", None),
        (Fault("entra", "token", "status", 503), "sign in", None),
    ],
)
def test_verify_names_what_is_wrong(
    office: Office, fault: Fault, step: str, field: str | None
) -> None:
    office.store_good()
    office.lab.faults.add(fault)
    ran = office.run("verify-mcas2", "--json")
    shown = orjson.loads(ran.stdout)
    (wrong,) = (step for step in shown["steps"] if not step["ok"])
    assert (ran.returncode, shown["ok"]) == (1, False)
    assert (wrong["name"], wrong["field"]) == (step, field)
    assert [outcome for _, outcome, _ in office.audited()] == ["failed"]


def test_verify_without_credentials_says_what_to_run(office: Office) -> None:
    ran = office.run("verify-mcas2")
    assert ran.returncode == 78
    assert "Try: sudo nss configure-mcas2" in ran.stderr


def test_verify_with_a_legacy_token(office: Office) -> None:
    office.store.token_path.write_text(office.lab.legacy_token)
    office.store.token_path.chmod(0o600)
    office.extra = f'token_api_url = "{office.lab.api_url}"\n'
    ran = office.run("verify-mcas2", "--json")
    shown = orjson.loads(ran.stdout)
    assert (ran.returncode, shown["token_type"], shown["data_source"]["name"]) == (
        0,
        "Token",
        "NSS",
    )


def test_clearing_without_a_question(office: Office) -> None:
    office.store_good()
    ran, again = office.run("clear-mcas2", "--yes"), office.run("clear-mcas2", "--yes")
    assert (ran.returncode, again.returncode) == (0, 0)
    assert again.stdout == "There was nothing to remove.\n"
    assert office.store.load() is None


def test_help_is_there_for_each(office: Office) -> None:
    for name in ("configure-mcas2", "verify-mcas2", "show-mcas2", "clear-mcas2", "configure-mcas"):
        ran = office.run(name, "--help")
        assert (ran.returncode, "Example: " in ran.stdout) == (0, True)


def test_the_lab_saw_no_violation(office: Office) -> None:
    office.store_good()
    office.run("verify-mcas2")
    assert office.lab.complaints == []


def test_the_whole_story_is_played(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "cli.main", "demo", "--mcas", "--seconds", "3"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=ENV,
        timeout=50,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    lines = ran.stdout.splitlines()
    commands = [line.split()[2] for line in lines if line.startswith("$ nss ")]
    assert commands == [
        *("configure-mcas2", "run", "verify-mcas2"),
        *("configure-zia", "sync-unsanctioned", "verify-blocking"),
    ]
    assert "  ok    service: " in ran.stdout, "the service runs while it is looked at"
    assert "does not answer" not in ran.stdout
    at = next(index for index, line in enumerate(lines) if "no credentials are stored" in line)
    assert lines[at + 1].startswith("    "), "what is wrapped is indented"
    assert "\ncloud app " in ran.stdout
    assert "      .dropbox.com" in lines
    assert "  blocked: no: no enabled URL filtering rule blocks the category" in ran.stdout
    assert lines[-2:] == [
        "By ZIA's API: blocked: yes",
        'By the gateway: blocked: yes (www.dropbox.com, rule "Unsanctioned apps")',
    ]


STRANGER = 54_321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for others")


@as_root
@pytest.mark.parametrize("more", [(), ("--skip-test",)])
def test_a_certificate_that_the_service_can_not_read_is_refused(
    office: Office, more: tuple[str, ...]
) -> None:
    """Root can read it, and that is no use to the user that nss runs as."""
    os.chown(office.state, STRANGER, STRANGER)
    path = office.lab.certificate  # mode 0600, of root
    ran = office.run("configure-mcas2", *office.good, "--certificate", str(path), *more)
    assert ran.returncode == 78
    first, tip = ran.stderr.splitlines()
    assert first.startswith(
        f"nss: credentials: the user {STRANGER}, as which nss runs, can't read the certificate: "
    )
    assert first.endswith(f"keeps that user out ({path})")
    assert tip.startswith(f"Try: sudo install -o root -g {STRANGER} -m 0640 {path} /etc/nss/")
    assert office.store.load() is None


@as_root
def test_a_certificate_that_the_service_can_not_read_any_more_is_found_by_verify(
    office: Office,
) -> None:
    options = (*office.good, "--certificate", str(office.lab.certificate))
    assert office.run("configure-mcas2", *options).returncode == 0
    os.chown(office.state, STRANGER, STRANGER)
    os.chown(office.store.path, STRANGER, STRANGER)
    ran = office.run("verify-mcas2")
    assert ran.returncode == 1
    assert "ok    sign in: Entra gave a token" in ran.stdout
    assert "wrong certificate: credentials: the user 54321" in ran.stdout


EXPIRES = "NSS_MCAS_CLIENT_SECRET_EXPIRES"


@pytest.mark.parametrize("way", ["option", "environment", "neither"])
def test_the_end_of_the_secret_may_be_given(office: Office, way: str) -> None:
    environ = {VARIABLE: office.lab.client_secret}
    more = ["--client-secret-expires", "31 May 2099"] if way == "option" else []
    if way == "environment":
        environ[EXPIRES] = "5/31/2099"
    ran = office.run("configure-mcas2", *office.good, *more, environ=environ)
    stored = office.store.load()
    assert ran.returncode == 0, ran.stderr
    assert stored is not None
    expected = None if way == "neither" else "2099-05-31"
    shown = orjson.loads(office.run("show-mcas2", "--json").stdout)["stored"]
    assert shown["client_secret_expires"] == expected
    assert str(stored.client_secret_expires) == str(expected)


@pytest.mark.parametrize(
    ("more", "environ", "sentence"),
    [
        (["--client-secret-expires", "soon"], {}, "is not a date"),
        (["--client-secret-expires", "2020-01-31"], {}, "has passed"),
        ([], {EXPIRES: "1/2/2099"}, "can be read in two ways"),
        (
            ["--client-secret-expires", "2099-05-31", "--managed-identity"],
            {},
            "--client-secret-expires is for a Client Secret only",
        ),
    ],
)
def test_an_end_that_can_not_be_right_is_refused(
    office: Office, more: list[str], environ: dict[str, str], sentence: str
) -> None:
    secret = {VARIABLE: office.lab.client_secret}
    ran = office.run("configure-mcas2", *office.good, *more, environ=secret | environ)
    assert ran.returncode == 64
    assert sentence in ran.stderr
    assert office.store.load() is None


def test_a_new_secret_drops_the_end_of_the_one_before(office: Office) -> None:
    secret = {VARIABLE: office.lab.client_secret}
    ended = ("--client-secret-expires", "2099-05-31")
    assert office.run("configure-mcas2", *office.good, *ended, environ=secret).returncode == 0
    assert office.run("configure-mcas2", "--no-input", environ=secret).returncode == 0
    stored = office.store.load()
    assert stored is not None
    assert str(stored.client_secret_expires) == "2099-05-31", "the secret is the same"
    office.lab.entra.revoke_secret()
    secret = {VARIABLE: office.lab.client_secret}
    assert office.run("configure-mcas2", "--no-input", environ=secret).returncode == 0
    stored = office.store.load()
    assert stored is not None
    assert stored.client_secret_expires is None


def test_show_and_verify_say_how_long_the_secret_is_good(office: Office) -> None:
    stored = office.store_good()
    assert "Secret expires on:  not known" in office.run("show-mcas2").stdout
    day = datetime.now(UTC).date() + timedelta(days=20)
    office.store.save(replace(stored, client_secret_expires=day))
    shown, verified = office.run("show-mcas2"), office.run("verify-mcas2")
    assert f"Secret expires on:  {day}" in shown.stdout
    for text in (shown.stdout, verified.stdout):
        assert f"Good until:         {day}, 20 days left (client secret)" in text
    assert f"warn  expiry: the Client Secret expires in 20 days, on {day}" in verified.stdout
    assert verified.returncode == 0
    facts = orjson.loads(office.run("show-mcas2", "--json").stdout)["stored"]
    for (expiry,) in (
        facts["expiries"],
        orjson.loads(office.run("verify-mcas2", "--json").stdout)["expiries"],
    ):
        assert (expiry["credential"], expiry["days"]) == ("client_secret", 20)


def test_show_says_how_long_a_certificate_is_good(office: Office) -> None:
    office.run("configure-mcas2", *office.good, "--certificate", str(office.lab.certificate))
    assert "(app certificate)" in office.run("show-mcas2").stdout
    (expiry,) = orjson.loads(office.run("show-mcas2", "--json").stdout)["stored"]["expiries"]
    assert expiry["place"] == str(office.lab.certificate)
    office.lab.certificate.unlink()
    shown = office.run("show-mcas2")
    assert (shown.returncode, "Good until" in shown.stdout) == (0, False)
