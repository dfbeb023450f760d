"""docs/commands.md, from the commands themselves: `python -m gbg_cli.commands_page --write` puts them in."""

from __future__ import annotations

import sys

import click

from gbg_cli.__main__ import COMMANDS, main
from gbg_cli.places import ROOT

PAGE = ROOT / "docs" / "commands.md"
BEGIN, END = "<!-- made from the commands: begin -->", "<!-- made from the commands: end -->"


def sections() -> str:
    """Markdown, a section a command."""
    context = click.Context(main, info_name="gbg")
    lines = [BEGIN, ""]
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        usage = " ".join([f"./gbg {name}", *command.collect_usage_pieces(inner)])
        lines += [f"## {name}", "", f"    {usage}", "", command.help or "", ""]
        lines += [f"- {_option(option, inner)}" for option in options(command)]
        lines += [""] if options(command) else []
        if isinstance(command, click.Group):
            lines += _below(name, command, inner)
    return "\n".join([*lines, END])


def _below(name: str, group: click.Group, context: click.Context) -> list[str]:
    """A section for each of a command's own commands."""
    lines = []
    for below, command in group.commands.items():
        if command.hidden:
            continue
        inner = click.Context(command, info_name=below, parent=context)
        usage = " ".join([f"./gbg {name} {below}", *command.collect_usage_pieces(inner)])
        lines += [f"### {name} {below}", "", f"    {usage}", "", command.help or "", ""]
        lines += [f"- {_option(option, inner)}" for option in options(command)]
        lines += [""] if options(command) else []
    return lines


def options(command: click.Command) -> list[click.Option]:
    return [option for option in command.params if isinstance(option, click.Option)]


def _option(option: click.Option, context: click.Context) -> str:
    """`--port N`: what it does."""
    record = option.get_help_record(context)
    assert record is not None, f"{option.name} is hidden"
    return f"`{record[0]}`: {record[1].replace('  ', ' ')}"


def written(page: str) -> str:
    before, _, rest = page.partition(BEGIN)
    return before + sections() + rest.partition(END)[2]


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(written(PAGE.read_text()))
    else:
        sys.stdout.write(sections() + "\n")
