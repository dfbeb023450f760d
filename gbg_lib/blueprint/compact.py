"""A function's source as a template carries it: the same program without docstrings, comments and indents.

A template body has a limit, and a third of a function is there for whoever reads its file. The text is the
same whichever Python makes it, so that no other version of Python means an update of the stack.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator

INDENT = 4
"""spaces a level in the files"""


def compact(source: str) -> str:
    """Raises SyntaxError."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip()
    gone, verbatim = set(_documentation(ast.parse(source))), set(_inside_strings(source))
    kept = [
        line if number in verbatim else _narrow(line)
        for number, line in enumerate(lines, start=1)
        if number not in gone and (line.strip() or number in verbatim)
    ]
    return "\n".join(kept) + "\n"


def _documentation(tree: ast.AST) -> Iterator[int]:
    """Lines of strings that are statements; not of one that is all there is of its block."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and len(body) > 1:
            for statement in body:
                if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                    yield from range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)


def _inside_strings(source: str) -> Iterator[int]:
    """Lines that begin inside of a string, where each space counts."""
    begun = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        name = tokenize.tok_name[token.type]
        if name == "FSTRING_START":
            begun = begun or token.start[0]
        elif name == "FSTRING_END":
            yield from range(begun + 1, token.end[0] + 1)
            begun = 0
        elif name == "STRING":
            yield from range(token.start[0] + 1, token.end[0] + 1)


def _narrow(line: str) -> str:
    bare = line.lstrip(" ")
    levels, rest = divmod(len(line) - len(bare), INDENT)
    return " " * (levels + rest) + bare
