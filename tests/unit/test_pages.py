"""Docs say what the code says: every parameter, command and option, and none that isn't there."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from gbg_cli import commands_page
from gbg_cli.__main__ import COMMANDS, main
from gbg_lib import parameters_page
from gbg_lib.parameters import Parameters

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("maker", [parameters_page, commands_page], ids=lambda maker: maker.__name__)
def test_a_page_is_as_the_code_makes_it(maker: object) -> None:
    assert isinstance(maker, type(parameters_page))
    text = maker.PAGE.read_text()
    assert text == maker.written(text), f"run: python -m {maker.__name__} --write"


def test_every_parameter_has_a_row() -> None:
    table = parameters_page.table()
    for name, field in Parameters.model_fields.items():
        assert f"| `{name}` | {field.description} |" in table


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None and command.help
    section = commands_page.sections().partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    for option in commands_page.options(command):
        assert option.help, f"{name} {option.opts}"
        assert all(word in section for word in option.opts)
    assert f"gbg {name}" in README or f"`{name}" in README


def test_readme_names_no_command_that_is_not_there() -> None:
    named = set(re.findall(r"(?:\./gbg |`gbg )([a-z]+)", README))
    assert named <= set(COMMANDS)


@pytest.mark.parametrize(
    "page", sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]), ids=lambda p: p.name
)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / link).exists(), link
