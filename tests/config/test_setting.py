"""What follows from a declaration, for every key there is and for one that is made up."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest

from nss.config.kinds import whole_number
from nss.config.model import SECTION_TYPES
from nss.config.setting import (
    Also,
    Declared,
    Example,
    Role,
    Rule,
    declared,
    excludes,
    held_by,
    needs,
    needs_flag,
    not_beside,
)
from nss.config.values import Address, FormatChoice
from nss.service.changes import files_print

SETTINGS = [
    pytest.param(entry, id=f"{section.__name__}.{entry.key}")
    for section in SECTION_TYPES
    for entry in declared(section)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeUp:
    """A section."""

    level: Literal["low", "high"] = "low"
    """How much."""
    is_on: bool = True
    """Whether it is on."""
    secret_file: Annotated[
        Path | None, Role.TOKEN, needs("number"), Example('"x"', absent="none")
    ] = None
    """The file with
    a secret."""
    number: Annotated[
        int, whole_number(1, 3), Also("digits", "As digits.", (whole_number(4, 9),))
    ] = 2
    """A number."""
    beside: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutKind:
    """A section that lacks what a key takes."""

    number: Annotated[int, needs("other")] = 2


@pytest.mark.parametrize("entry", SETTINGS)
def test_every_path_address_and_format_has_a_role(entry: Declared) -> None:
    (annotation,) = (field.type for field in fields(entry.section) if field.name == entry.field)
    base = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    names_something = {Path, Address, FormatChoice} & {base, *get_args(base)}
    if get_origin(base) is not tuple and entry.key == entry.field:
        assert (entry.role is not Role.VALUE) == bool(names_something)


def test_kinds_follow_from_types_and_descriptions_stand_below() -> None:
    entries = {entry.key: entry for entry in declared(MadeUp)}
    assert list(entries) == ["level", "is_on", "secret_file", "number", "digits"]
    assert entries["level"].kind.expected == '"low" or "high"'
    assert entries["is_on"].kind.expected == "true or false"
    assert entries["secret_file"].kind.read("a") == Path("a")
    assert entries["secret_file"].description == "The file with a secret."
    assert (entries["digits"].field, entries["digits"].default) == ("number", None)
    assert entries["digits"].description == "As digits."


def test_a_key_that_says_something_says_what_it_takes() -> None:
    with pytest.raises(TypeError, match=r"WithoutKind\.number needs a kind"):
        declared(WithoutKind)


@pytest.mark.parametrize(
    ("rule", "good", "broken"),
    [
        (needs("a"), {"a": 1}, {}),
        (needs_flag("a"), {"a": True}, {"a": False}),
        (needs_flag("a"), {"a": "wrong anyway"}, {}),
        (excludes("a"), {}, {"a": 1}),
        (not_beside("a", "-", "no"), {"a": "x"}, {"a": "-"}),
    ],
)
def test_a_rule_is_about_another_key(
    rule: Rule, good: dict[str, object], broken: dict[str, object]
) -> None:
    assert not rule.is_broken(good)
    assert rule.is_broken(broken)


def test_a_secret_file_is_watched_at_a_reload(tmp_path: Path) -> None:
    section = MadeUp(secret_file=tmp_path / "secret")
    before = files_print(section)
    (tmp_path / "secret").write_text("a")
    first = files_print(section)
    (tmp_path / "secret").write_text("b")
    assert len({before, first, files_print(section)}) == 3
    assert [held.file for held in held_by(section) if held.role.is_secret] == [tmp_path / "secret"]
