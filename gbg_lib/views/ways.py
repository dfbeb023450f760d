"""Ways back from a release as a table."""

from __future__ import annotations

from gbg_lib.views.table import Table, table
from gbg_lib.way_back.ways import WaysBack


def ways_table(found: WaysBack) -> Table:
    rows = [
        {
            "way": way.kind,
            "means": way.means,
            "open": "yes" if way.open else "no",
            "because": way.reason,
            "costs": way.cost,
        }
        for way in found.ways
    ]
    return table(rows, ["way", "means", "open", "because", "costs"], name="Ways back")
