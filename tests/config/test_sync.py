"""What the settings of the sync accept, and what its file needs."""

from pathlib import Path

import pytest

from nss.config.kinds import InvalidValue
from nss.config.load import ConfigProblems, parse
from nss.config.machine import check_environment
from nss.config.sync import category_name, command

FEED = """
[sources.web]
kind = "file"
path = "web.log"
[feeds.mcas]
format = "MCAS"
[feeds.mcas.sink]
kind = "file"
path = "out.log"
"""


@pytest.mark.parametrize("name", ["MS Defender Unsanctioned Apps", "a", "x_y-z.(1)"])
def test_a_category_may_be_named_as_zia_allows(name: str) -> None:
    assert category_name().read(name) == name


@pytest.mark.parametrize("name", ["", " a", "a ", "a/b", "ä", 'a"', "a\n", "a" * 256, 5])
def test_other_names_of_categories_are_refused(name: object) -> None:
    with pytest.raises(InvalidValue, match="letters, digits"):
        category_name().read(name)


@pytest.mark.parametrize(
    "words", [["/bin/true"], ["/usr/bin/systemctl", "reload", "squid", "squid", ""]]
)
def test_a_command_is_a_list_of_words(words: list[str]) -> None:
    assert command().read(words) == tuple(words)


@pytest.mark.parametrize(
    "words",
    [[], "/bin/true", ["true"], [""], ["/bin/true", 5], ["/bin/true", "\0"], ["/bin/a"] * 65],
)
def test_a_shell_line_and_the_like_are_no_command(words: object) -> None:
    with pytest.raises(InvalidValue, match="the whole path of a program"):
        command().read(words)


def test_the_file_of_the_list_serves_no_other_purpose(tmp_path: Path) -> None:
    text = '[sync]\nfile_path = "out.log"\n' + FEED
    with pytest.raises(ConfigProblems, match=r"feeds\.mcas\.sink\.path.*is taken by sync"):
        parse(text, tmp_path)


def test_a_machine_that_syncs_itself_has_nobody_else_do_it(tmp_path: Path) -> None:
    said = 'synced_by = "nss1"\n'
    assert parse(f'[sync]\ntarget = "off"\n{said}{FEED}', tmp_path).sync.synced_by == "nss1"
    for target in ("", 'target = "auto"\n', 'target = "file"\n'):
        with pytest.raises(ConfigProblems, match=r'sync\.synced_by.*needs target = "off"'):
            parse(f"[sync]\n{target}{said}{FEED}", tmp_path)


def test_nor_does_another_machine_upload_for_a_feed_that_does(tmp_path: Path) -> None:
    said = '[mcas]\nuploaded_by = "nss1"\n'
    assert parse(said + FEED, tmp_path).mcas.uploaded_by == "nss1"
    uploading = FEED.replace('kind = "file"\npath = "out.log"', 'kind = "cloud_discovery"')
    with pytest.raises(ConfigProblems, match=r"mcas\.uploaded_by.*feed mcas uploads from this"):
        parse(said + uploading, tmp_path)


@pytest.mark.parametrize(("path", "reason"), [("gone/list", "there is no folder"), (".", "folder")])
def test_the_file_of_the_list_needs_a_folder(tmp_path: Path, path: str, reason: str) -> None:
    (tmp_path / "web.log").touch()
    control = '[service]\ncontrol_socket = "off"\n[spool]\nkind = "memory"\n'
    config = parse(f'{control}[sync]\nfile_path = "{path}"\n{FEED}', tmp_path)
    (problem,) = check_environment(config)
    assert problem.key == "sync.file_path"
    assert reason in problem.reason
