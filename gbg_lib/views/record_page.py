"""A record as a page for the post-mortem: one HTML file that needs nothing else, and Markdown.

Whatever a record says is text on it: tags, links and Markdown of others are shown, never obeyed.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from pathlib import Path

from gbg_lib.errors import Explained
from gbg_lib.record.decisions import decisions
from gbg_lib.record.reading import Read
from gbg_lib.record.words import plain
from gbg_lib.views.banner import doubt
from gbg_lib.views.explain import explaining
from gbg_lib.views.record_chart import record_chart
from gbg_lib.views.record_tables import (
    FailureView,
    decisions_table,
    differences_table,
    failure_view,
    missing_table,
    notes_table,
    record_table,
    story_table,
    timeline_table,
    verified_table,
)
from gbg_lib.views.table import Table, table

MARKS = re.compile(r"([\\`*_\[\]|<>~$#&]|://|(?<=www)\.|@)")
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222 }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-size: 13px }
th, td { padding: .2rem .7rem .2rem 0; vertical-align: top }
tr { border-bottom: 1px solid #ddd }
pre { background: #f4f4f4; padding: .8rem; white-space: pre-wrap; overflow-wrap: anywhere }
img { max-width: 100% }
details { margin: 1rem 0 }
"""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""nothing on the page may load or run anything"""


def sections(read: Read) -> list[tuple[str, Table | FailureView]]:
    """Headings and what is below them, in the order of reading."""
    archive = read.archive
    return [
        ("Where it went wrong first", failure_view(archive)),
        ("What happened", story_table(archive)),
        ("What changed since the last good release", differences_table(read)),
        ("Who decided what", decisions_table(archive)),
        ("Notes", notes_table(archive)),
        ("The record", record_table(read)),
        ("Is the record whole", verified_table(read)),
        ("What is missing in it", missing_table(archive)),
    ]


def export(read: Read) -> Table:
    """Writes both pages, beside the records. Raises Explained where a notebook only explains."""
    if explaining():
        raise Explained("explain", f"nothing was written; it would be two pages in {read.pages.name}", "")
    made = [{"page": path.name, "in": path.parent.name} for path in write_pages(read, read.pages)]
    return table(made, ["page", "in"], "Beside the records:")


def write_pages(read: Read, folder: Path) -> list[Path]:
    """Their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for suffix, text in (("html", page(read)), ("md", markdown(read))):
        path = folder / f"{read.archive.name}.{suffix}"
        path.write_text(text)
        made.append(path)
    return made


def page(read: Read) -> str:
    title = html.escape(_title(read))
    chart = record_chart(read.archive)
    picture = base64.b64encode(chart.png()).decode()
    parts = [f"<h2>{html.escape(name)}</h2>\n{view._repr_html_()}" for name, view in sections(read)]
    parts.insert(2, f'<p><img alt="{html.escape(chart.words)}" src="data:image/png;base64,{picture}"></p>')
    everything = timeline_table(read.archive)._repr_html_()
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{STYLE}</style>
<body>
<h1>{title}</h1>
<p>{html.escape(lead(read))}</p>
{f"<p><b>{html.escape(doubt(read))}</b></p>" if doubt(read) else ""}
{"".join(parts)}
<details><summary>Everything, in its order</summary>
{everything}
</details>
</body>
</html>
"""


def _title(read: Read) -> str:
    summary = read.archive.manifest.summary
    name = plain(summary.get("message", ""), 80) or read.archive.name
    return f"{name}: {plain(summary.get('status', '?'))}"


def lead(read: Read) -> str:
    """What a reader asks first: which release it was, when, whose commit, and what set it going."""
    summary, decided = read.archive.manifest.summary, decisions(read.archive)
    times = [str(summary.get(name) or "?")[:19].replace("T", " ") for name in ("started", "finished")]
    commit = str(summary.get("commit", ""))
    author = next((one.who for one in decided if one.evidence == f"commit:{commit}"), "")
    begun = next((one for one in decided if one.evidence.partition(":")[0] == "execution"), None)
    told = [
        f"Deployment {summary.get('deployment', '?')}, {' to '.join(times)} UTC",
        f"commit {commit[:8] or '?'}" + (f" by {author}" if author else ""),
        *([f"{begun.who} {begun.what}"] if begun else []),
    ]
    return plain("; ".join(told)) + "."


def markdown(read: Read) -> str:
    """GitHub's kind, without a picture."""
    title = escaped(_title(read))
    parts = [f"# {title}", escaped(lead(read)), *([f"**{escaped(doubt(read))}**"] if doubt(read) else [])]
    for name, view in sections(read):
        body = _table(view) if isinstance(view, Table) else _failure(view)
        parts.append(f"## {name}\n\n{body}")
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return MARKS.sub(r"\\\1", text)


def _table(view: Table) -> str:
    head, *rows = view.cells
    title = escaped(str(view.attrs.get("title", "")))
    if not rows:
        return title or "(nothing)"
    lines = [_row(head), _row(["---"] * len(head), escape=False), *map(_row, rows)]
    return "\n".join([title, ""] if title else []) + ("\n" if title else "") + "\n".join(lines)


def _row(cells: Sequence[str], *, escape: bool = True) -> str:
    told = [escaped(plain(cell)) if escape else cell for cell in cells]
    return f"| {' | '.join(told)} |"


def _failure(view: FailureView) -> str:
    """A log as an indented block: no fence that it could close."""
    if view.found is None:
        return "Nothing failed."
    log = "\n".join(f"    {line}" for line in view.found.log)
    return f"{escaped(view.found.where)}: {escaped(view.found.what)}\n\n{log}"
