"""Whose code a rehearsal would run on this machine itself.

Builds and hooks run inside the sandbox's machines. Functions are processes of the sandbox and see the host's
files, so those of a record that comes from elsewhere are let run only when they are this project's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from gbg_lib import blueprint
from gbg_lib.errors import MisuseError
from gbg_lib.record.reading import EXAMPLES
from gbg_lib.rehearsal.plan import Plan

FUNCTION = "AWS::Lambda::Function"


def require_trusted(plan: Plan, path: Path, own: Path) -> None:
    """`own` is the folder of one's own records. Raises MisuseError for others with functions of their own."""
    if any(path.resolve().is_relative_to(folder.resolve()) for folder in (own, EXAMPLES)):
        return
    foreign = sorted(foreign_functions(plan.templates.values()))
    if foreign:
        raise MisuseError(
            str(path),
            f"it comes from elsewhere, and its functions are not this project's: {', '.join(foreign)}",
            "read files/template-*.json in it; `--trust` if you would run that code on this machine",
        )


def foreign_functions(templates: Iterable[str]) -> set[str]:
    """Logical ids of functions whose code this project does not have."""
    known = {code for part in (1, 3) for code in _codes(blueprint.template(part)).values()}
    return {name for text in templates for name, code in _codes(text).items() if code not in known}


def _codes(template: str) -> dict[str, str]:
    """The code of each function, as text: whatever form it has."""
    resources = json.loads(template)["Resources"]
    return {
        str(name): json.dumps(one.get("Properties", {}).get("Code"), sort_keys=True)
        for name, one in resources.items()
        if one.get("Type") == FUNCTION
    }
