"""Where a live output belongs, told with it: a page that was loaded again can go on with it.

Which part of a view it is stays with the output; which cell, and its number, is told and never saved. Read by
gbg_cli/lab_extensions. https://jupyter-client.readthedocs.io/en/stable/messaging.html#display-data
"""

from __future__ import annotations

from typing import Any

from gbg_lib.views.late import ipython


def belongs(part: str, shell: Any = None) -> dict[str, Any]:
    """Arguments of `display`. `part` is unique in its cell: picture, site, words."""
    shell = shell or ipython.get_ipython()
    asked: dict[str, Any] = getattr(shell, "get_parent", dict)()
    cell = asked.get("metadata", {}).get("cellId")
    # the shell's own count is that of the next cell already, or not yet, as its version has it
    told = {"cell": cell, "count": len(shell.history_manager.input_hist_parsed) - 1} if cell else {}
    return {"metadata": {"gbg_view": part}, "transient": told}
