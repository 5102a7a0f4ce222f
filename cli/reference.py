"""Man pages, completions and docs/commands.md, from the declarations of the commands.

python -m cli.reference man FOLDER           nss.1, nss-start.1 and so on
python -m cli.reference completions FOLDER   for bash, zsh and fish, below a share folder
python -m cli.reference markdown             docs/commands.md, on stdout
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer.main
from typer.completion import get_completion_script  # type: ignore[attr-defined]

from cli.app import app
from cli.groups import grouped
from nss.wording import own_version

_COMPLETIONS = {
    "bash": "bash-completion/completions/nss",
    "zsh": "zsh/vendor-completions/_nss",
    "fish": "fish/vendor_completions.d/nss.fish",
}

_EXAMPLE = "Example: "

_OPENING = """\
# Commands

Every command has `--help`. Those that ask the running service find it through `--config`. Exit
codes are those of sysexits.h; the README lists them.
"""


@dataclass(frozen=True, slots=True)
class Option:
    """An argument or option of a command."""

    names: str
    """As it is typed, with its value: `--config, -c FILE`."""
    help: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says of a command."""

    name: str
    """With the commands above it: `nss troubleshoot feeds`."""
    paragraphs: list[str]
    examples: list[str]
    arguments: list[Option]
    options: list[Option]
    commands: list[tuple[str, list[tuple[str, str]]]]
    """Headings, each with the names and first sentences of the commands below it."""
    heading: str
    """The one that the command stands below; empty for `nss` and what is not directly below it."""
    is_whole: bool
    """Whether it does something without one of these."""


def pages() -> list[Page]:
    """Return a page for every command, in the order of `nss --help`."""
    return list(_walk(typer.main.get_command(app), "nss", ""))


def _walk(command: Any, name: str, heading: str) -> Iterator[Page]:  # noqa: ANN401 - click's, vendored by typer
    known: dict[str, Any] = getattr(command, "commands", {})
    below = {word: each for word, each in known.items() if not each.hidden}
    groups = list(grouped(below))
    texts = _paragraphs(command)
    shown = [param for param in command.params if not getattr(param, "hidden", False)]
    yield Page(
        name=name,
        paragraphs=[text for text in texts if not text.startswith(_EXAMPLE)],
        examples=[text.removeprefix(_EXAMPLE) for text in texts if text.startswith(_EXAMPLE)],
        arguments=[_option(param) for param in shown if param.param_type_name == "argument"],
        options=[_option(param) for param in shown if param.param_type_name == "option"],
        commands=[
            (title, [(word, _paragraphs(below[word])[0]) for word in words])
            for title, words in groups
        ],
        heading=heading,
        is_whole=getattr(command, "invoke_without_command", True),
    )
    for title, words in groups:
        for word in words:
            yield from _walk(below[word], f"{name} {word}", title if name == "nss" else "")


def _option(declared: Any) -> Option:  # noqa: ANN401 - click's, vendored by typer
    if declared.param_type_name == "argument":
        names = declared.metavar or declared.name.upper()
    else:
        names = ", ".join([*declared.opts, *declared.secondary_opts])
        if not declared.is_flag:
            names += f" {declared.metavar or _type_name(declared)}"
    return Option(names, " ".join((declared.help or "").split()), _default(declared))


def _type_name(declared: Any) -> str:  # noqa: ANN401 - click's, vendored by typer
    """Return what a value is, of choices each."""
    kind = declared.type
    if hasattr(kind, "choices"):
        return "|".join(kind.choices)
    return "NUMBER" if kind.name.startswith(("int", "float")) else "TEXT"


def _default(declared: Any) -> str | None:  # noqa: ANN401 - click's, vendored by typer
    shown = declared.show_default
    if isinstance(shown, str):
        return shown
    value = declared.default
    if value is None or value == "" or callable(value) or isinstance(value, bool):
        return None
    return str(value)


def _paragraphs(command: Any) -> list[str]:  # noqa: ANN401 - click's, vendored by typer
    return [" ".join(text.split()) for text in cleandoc(command.help or "").split("\n\n")]


def man(page: Page) -> str:
    """Return the page as a manual page of section 1."""
    title = page.name.replace(" ", "-")
    summary = page.paragraphs[0].rstrip(".")
    version = own_version() or ""
    lines = [
        f'.TH "{title.upper()}" "1" "" "NSS {version}" "Open Nanolog Streaming Service"',
        *(".SH NAME", f"{_roff(title)} \\- {_roff(summary)}"),
        *(".SH SYNOPSIS", f".B {_roff(page.name)}", _roff(_synopsis(page))),
        ".SH DESCRIPTION",
    ]
    for paragraph in page.paragraphs:
        lines += [".PP", _roff(paragraph)]
    for heading, options in (("ARGUMENTS", page.arguments), ("OPTIONS", page.options)):
        lines += [f".SH {heading}"] if options else []
        for option in options:
            lines += [".TP", f".B {_roff(option.names)}", _roff(_described(option))]
    lines += [".SH COMMANDS"] if page.commands else []
    for heading, commands in page.commands:
        lines += [f".SS {_roff(heading)}"] if len(page.commands) > 1 else []
        for name, sentence in commands:
            lines += [".TP", f".BR {_roff(title)}\\-{_roff(name)} (1)", _roff(sentence)]
    lines += [".SH EXAMPLE"] if page.examples else []
    for example in page.examples:
        lines += [".EX", _roff(example), ".EE"]
    if page.name != "nss":
        lines += [".SH SEE ALSO", ".BR nss (1)"]
    else:
        lines += [".SH FILES", ".TP", ".I /etc/nss/nss.toml", "The configuration."]
        lines += [".TP", ".I /var/lib/nss", "Spool, credentials, audit log."]
    return "\n".join(lines) + "\n"


def markdown() -> str:
    """Return docs/commands.md."""
    first, *others = pages()
    listed = [
        f"| {heading} | {' '.join(f'[{name}](#nss-{name})' for name, _ in commands)} |"
        for heading, commands in first.commands
    ]
    parts = [_OPENING, "\n".join(["| to | commands |", "| --- | --- |", *listed]) + "\n"]
    heading = ""
    for page in others:
        if page.heading not in {"", heading}:
            heading = page.heading
            parts.append(f"## {heading}\n")
        parts.append(f"### {page.name}\n")
        parts += [f"{_prose(text)}\n" for text in page.paragraphs]
        parts.append(f"    {page.name} {_synopsis(page)}".rstrip() + "\n")
        rows = [*page.arguments, *page.options]
        if rows:
            cells = [f"| `{_cell(row.names)}` | {_cell(_prose(_described(row)))} |" for row in rows]
            parts.append("\n".join(["| option | what it does |", "| --- | --- |", *cells]) + "\n")
        parts += [f"Example: `{text}`\n" for text in page.examples]
    return "\n".join(parts)


def _prose(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", "\\*")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _described(option: Option) -> str:
    text = option.help or "."
    return text if option.default is None else f"{text} Default: {option.default}."


def _synopsis(page: Page) -> str:
    words = ["[OPTIONS]"] if page.options else []
    words += [f"[{argument.names}]" for argument in page.arguments]
    if page.commands:
        words.append("[COMMAND]" if page.is_whole else "COMMAND")
    return " ".join(words)


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Write what is asked for."""
    match arguments:
        case ["man", folder]:
            for page in pages():
                _write(Path(folder) / f"{page.name.replace(' ', '-')}.1", man(page))
        case ["completions", folder]:
            for shell, place in _COMPLETIONS.items():
                script = get_completion_script(
                    prog_name="nss", complete_var="_NSS_COMPLETE", shell=shell
                )
                _write(Path(folder) / place, f"{script}\n")
        case ["markdown"]:
            sys.stdout.write(markdown())
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
