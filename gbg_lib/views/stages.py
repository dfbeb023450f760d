"""The picture of a release: its stages on a time axis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from matplotlib.figure import Figure

from gbg_lib.pipeline import Action

COLOURS = {"Succeeded": "#0072b2", "InProgress": "#e69f00", "Failed": "#d55e00", "Abandoned": "#999999"}
"""Okabe and Ito's palette: told apart by colour-blind readers"""


def stages_picture(actions: Sequence[Action], title: str = "") -> Figure:
    """A bar an action, from the release's start in seconds; status by colour and in words."""
    figure = Figure(figsize=(9, 0.6 + 0.5 * max(len(actions), 1)), layout="constrained")
    axes = figure.add_subplot()
    begin: datetime | None = min((action.started for action in actions), default=None)
    for row, action in enumerate(actions):
        assert begin is not None
        offset = (action.started - begin).total_seconds()
        axes.barh(row, max(action.seconds, 0.2), left=offset, color=COLOURS.get(action.status, "#000000"))
        words = f"{action.seconds:.0f} s" + ("" if action.status == "Succeeded" else f", {action.status}")
        axes.annotate(
            words, (offset + action.seconds, row), xytext=(4, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(range(len(actions)), [action.stage for action in actions])
    axes.invert_yaxis()
    axes.set_xlabel("seconds since the release began")
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    if title:
        axes.set_title(title, loc="left")
    return figure
