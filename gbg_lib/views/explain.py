"""A runbook that only explains: a cell that would change something says so, and the next one goes on.

The door to AWS refuses every change then (`Aws.acts`); here that refusal becomes a line to read. What a cell
can't show because the one above it did nothing is said, too.
https://ipython.readthedocs.io/en/stable/config/inputtransforms.html#ast-transformations
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gbg_lib.errors import CheckFailed, Explained, NotThere
from gbg_lib.views.late import ipython, notebook
from gbg_lib.views.shown import GREEN, note

GUARD, SHOW = "_gbg_explained", "_gbg_show"


def go_on_explaining() -> None:
    """From the next cell on. Without a notebook around it (a script, a test) there is nothing to go on."""
    shell: Any = ipython.get_ipython()
    if shell is None or explaining():
        return
    shell.user_ns |= {GUARD: explained, SHOW: _show}
    shell.ast_transformers.append(Guarded())


def explaining() -> bool:
    """Whether this notebook only explains."""
    shell: Any = ipython.get_ipython()
    return shell is not None and any(isinstance(one, Guarded) for one in shell.ast_transformers)


class Guarded(ast.NodeTransformer):
    """Puts a cell inside `with explained():`; its last expression is still shown."""

    def visit_Module(self, node: ast.Module) -> ast.Module:
        if not node.body:
            return node
        *before, last = node.body
        if isinstance(last, ast.Expr):
            called = ast.Call(ast.Name(SHOW, ast.Load()), [last.value], [])
            last = ast.copy_location(ast.Expr(called), last)
        guard = ast.withitem(ast.Call(ast.Name(GUARD, ast.Load()), [], []))
        node.body = [ast.copy_location(ast.With([guard], [*before, last]), node.body[0])]
        return ast.fix_missing_locations(node)


@contextmanager
def explained() -> Iterator[None]:
    """Says what was not done, and what isn't there for that reason, instead of raising it; no other error."""
    try:
        yield
    except Explained as told:
        notebook.display(note(GREEN, [told.what], label="not done"))
    except (NotThere, CheckFailed) as told:
        notebook.display(
            note(GREEN, [f"{told.where}: {told.what}", "As long as nothing is done, this can't be there."],
                 label="not shown")
        )  # fmt: skip
    except NameError as told:
        notebook.display(note(GREEN, [f"{told.name} would come from a cell above"], label="not shown"))


def _show(value: Any) -> None:
    if value is not None:
        notebook.display(value)
