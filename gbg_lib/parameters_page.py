"""The table of docs/parameters.md: `python -m gbg_lib.parameters_page --write` makes it from the schema."""

from __future__ import annotations

import sys
from pathlib import Path

from gbg_lib.parameters import Parameters, kind, runbooks_of

PAGE = Path(__file__).resolve().parent.parent / "docs" / "parameters.md"
BEGIN, END = "<!-- made from the schema: begin -->", "<!-- made from the schema: end -->"


def table() -> str:
    """Markdown, a row a parameter."""
    rows = ["| name | meaning | value | default | read by |", "|---|---|---|---|---|"]
    for name, field in Parameters.model_fields.items():
        default = f"`{field.default}`" if field.default != "" else "empty"
        value = kind(field).replace("|", "\\|")
        before, like, pattern = value.partition(" like ")
        value = before + (f", like `{pattern}`" if like else "")
        rows.append(
            f"| `{name}` | {field.description} | {value} | {default} | {', '.join(runbooks_of(field))} |"
        )
    return "\n".join([BEGIN, "", *rows, "", END])


def written(page: str) -> str:
    """The page with its table made anew."""
    before, _, rest = page.partition(BEGIN)
    return before + table() + rest.partition(END)[2]


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(written(PAGE.read_text()))
    else:
        sys.stdout.write(table() + "\n")
