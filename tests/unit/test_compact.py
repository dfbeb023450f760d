"""A function in a template is the program in its file, only shorter."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from gbg_lib.blueprint import BLUEPRINT
from gbg_lib.blueprint.compact import compact

FUNCTIONS = sorted(file for part in ("part1", "part3") for file in (BLUEPRINT / part).glob("[!_]*.py"))


def program(source: str) -> str:
    """Its syntax tree without strings that are statements beside others."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and len(body) > 1:
            kept = [
                one for one in body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
            ]
            node.body = kept  # type: ignore[attr-defined]
    return ast.dump(tree)


@pytest.mark.parametrize("file", FUNCTIONS, ids=[file.stem for file in FUNCTIONS])
def test_each_function_is_the_same_program_and_a_tenth_shorter(file: Path) -> None:
    source = file.read_text()
    assert program(compact(source)) == program(source)
    assert len(compact(source)) < 0.9 * len(source)


@pytest.mark.parametrize(
    ("source", "short"),
    [
        ("a = '# no comment'  # one\n", "a = '# no comment'\n"),
        ('a = """\n    # four spaces\n\n"""\n', 'a = """\n    # four spaces\n\n"""\n'),
        ("def f():\n    '''Says.'''\n\n    return 1\n", "def f():\n return 1\n"),
        ("class E(Exception):\n    '''All there is.'''\n", "class E(Exception):\n '''All there is.'''\n"),
        ("A = 1\n'''what A is'''\n", "A = 1\n"),
        ("if a:\n    if b:\n        c(\n            d\n        )\n", "if a:\n if b:\n  c(\n   d\n  )\n"),
        ('a = f"""{b}\n    c"""\n', 'a = f"""{b}\n    c"""\n'),
        ("if a:\n    # why\n    b()\n", "if a:\n b()\n"),
    ],
)
def test_what_is_not_the_program_goes_and_text_stays_as_it_is(source: str, short: str) -> None:
    assert compact(source) == short
