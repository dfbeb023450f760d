"""docs/result.schema.json, from the result itself: `python -m gbg_lib.runs.schema` writes it."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from gbg_lib.runner import whole_files
from gbg_lib.runs.result import GoingOn, Result

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "result.schema.json"


def schema() -> dict[str, Any]:
    """As JSON Schema 2020-12; a result has no other keys, and all of these."""
    made = TypeAdapter(Result).json_schema()
    properties = made["properties"]
    for of, told in ((properties, Result), (made["$defs"]["GoingOn"]["properties"], GoingOn)):
        for name, words in _meanings(told).items():
            of[name]["description"] = words
    properties["try"] = {**properties.pop("try_this"), "title": "Try"}
    made["required"] = sorted(properties)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "additionalProperties": False,
    }


def _meanings(told: type) -> dict[str, str]:
    """Field → the words that stand below it."""
    [made] = ast.parse(textwrap.dedent(inspect.getsource(told))).body
    assert isinstance(made, ast.ClassDef)
    found = {}
    for field, words in pairwise(made.body):
        match field, words:
            case ast.AnnAssign(ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                found[name] = " ".join(text.split())
    return found


def text() -> str:
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    whole_files.write(PAGE, text())
