"""The honesty table: how real every operation is, told from the code itself.

`python -m gbg_sandbox.honesty --write` puts it into docs/sandbox.md; a test compares the two.
"""

from __future__ import annotations

import sys
from pathlib import Path

from botocore import xform_name

from gbg_sandbox.gateway.models import service_model
from gbg_sandbox.service import Coverage, Service
from gbg_sandbox.services import service_classes

BEGIN = "<!-- honesty table: made by `python -m gbg_sandbox.honesty` -->"
END = "<!-- end of the honesty table -->"


def operations(service: type[Service]) -> dict[Coverage, list[str]]:
    """AWS's operation names by how real they are."""
    coverage = service.coverage()
    found: dict[Coverage, list[str]] = {kind: [] for kind in Coverage}
    for name in sorted(service_model(service.name).operation_names):
        if kind := coverage.get(xform_name(name)):
            found[kind].append(name)
    return found


def table() -> str:
    """Markdown: a section a service, with a line for each kind and the number refused."""
    lines = [BEGIN, ""]
    for service in sorted(service_classes(), key=lambda service: service.name):
        found = operations(service)
        total = len(service_model(service.name).operation_names)
        had = sum(map(len, found.values()))
        lines += [
            f"### {service.name}",
            "",
            f"{had} of {total} operations; the other {total - had} are refused.",
            "",
        ]
        lines += [f"- *{kind}*: {', '.join(names)}" for kind, names in found.items() if names]
        lines.append("")
    return "\n".join([*lines, END])


def written(page: str) -> str:
    """The page with its table made anew."""
    before, _, rest = page.partition(BEGIN)
    return before + table() + rest.partition(END)[2]


if __name__ == "__main__":
    page = Path(__file__).parent.parent / "docs" / "sandbox.md"
    if "--write" in sys.argv:
        page.write_text(written(page.read_text()))
    else:
        sys.stdout.write(table() + "\n")
