"""A rehearsal as a page beside its record: one HTML file that needs nothing else, and Markdown.

Whatever a record says is text on it, as on the record's own page.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path

from gbg_lib.record.archive import Archive
from gbg_lib.record.words import plain
from gbg_lib.rehearsal.outcome import Outcome
from gbg_lib.rehearsal.report import Section, headline, sections
from gbg_lib.views.record_chart import record_chart
from gbg_lib.views.record_page import POLICY, STYLE, escaped

NAME = "rehearsal"
CELLS = """
th { text-align: left }
td { white-space: pre-line; overflow-wrap: anywhere }
td { min-width: 6rem }
td:first-child { min-width: 11rem }
.same { color: #006b4f } .diverged { color: #b34700 }
"""


def write_pages(made: Outcome) -> list[Path]:
    """Their paths."""
    paths = []
    for suffix, text in (("html", page(made)), ("md", markdown(made))):
        path = made.folder / f"{NAME}.{suffix}"
        path.write_text(text)
        paths.append(path)
    return paths


def title(made: Outcome) -> str:
    message = plain(made.recorded.manifest.summary.get("message", ""), 80)
    return f"Rehearsal of “{message}”" if message else f"Rehearsal of {made.plan.record}"


def page(made: Outcome) -> str:
    name = html.escape(title(made))
    parts = [_section(one) for one in sections(made)]
    charts = _chart("Recorded", made.recorded) + _chart("Rehearsed", made.rehearsed)
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width">
<title>{name}</title>
<style>{STYLE}{CELLS}</style>
<body>
<h1>{name}</h1>
<p class="{made.status}"><strong>{html.escape(headline(made))}</strong></p>
{"".join(parts)}
<h2>Both on a time axis</h2>
{charts}
</body>
</html>
"""


def _chart(word: str, archive: Archive) -> str:
    chart = record_chart(archive)
    picture = base64.b64encode(chart.png()).decode()
    image = f'<img alt="{html.escape(chart.words)}" src="data:image/png;base64,{picture}">'
    return f"<h3>{word}</h3>\n<p>{image}</p>\n"


def _section(section: Section) -> str:
    told = [f"<h2>{html.escape(section.heading)}</h2>"]
    told += [f"<p>{html.escape(section.words)}</p>"] if section.words else []
    if section.rows:
        head = "".join(f"<th scope='col'>{html.escape(cell)}</th>" for cell in section.columns)
        body = "\n".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in section.rows
        )
        called = html.escape(section.heading)
        told.append(f"<table aria-label='{called}'>\n<thead><tr>{head}</tr></thead>")
        told.append(f"<tbody>\n{body}\n</tbody>\n</table>")
    return "\n".join(told) + "\n"


def markdown(made: Outcome) -> str:
    """GitHub's kind, without pictures."""
    parts = [f"# {escaped(title(made))}", f"**{escaped(headline(made))}**"]
    for section in sections(made):
        parts.append(f"## {section.heading}")
        parts += [escaped(section.words)] if section.words else []
        if section.rows:
            lines = [_row(section.columns), _row(["---"] * len(section.columns), escape=False)]
            parts.append("\n".join([*lines, *map(_row, section.rows)]))
    return "\n\n".join(parts) + "\n"


def _row(cells: Sequence[str], *, escape: bool = True) -> str:
    told = ["<br>".join(escaped(line) for line in cell.split("\n")) if escape else cell for cell in cells]
    return f"| {' | '.join(told)} |"
