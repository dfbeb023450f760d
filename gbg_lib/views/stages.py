"""The picture of a release: its stages on a time axis."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gbg_lib.pipeline import Action
from gbg_lib.views.late import axis, figures, matplotlib
from gbg_lib.views.table import duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"Succeeded": "#0072b2", "InProgress": "#e69f00", "Failed": "#d55e00", "Abandoned": "#999999"}
"""Okabe and Ito's palette: told apart by colour-blind readers"""
HATCHES = {"InProgress": "////", "Failed": "xxxx", "Abandoned": "...."}
"""told apart in grey, too"""
INK, FAINT = "#333333", "#dddddd"
FONT: Any = {"font.family": "sans-serif", "font.size": 12, "text.color": INK, "hatch.linewidth": 0.8}
WIDTH_INCHES, ROW_INCHES, REST_INCHES = 9.0, 0.45, 1.1
DOTS_PER_INCH = 144
BAR = 0.4
"""share of a row's height"""
LEAST_SHARE = 0.004
"""of the axis, so that a stage of no time is seen"""


class StagesPicture:
    """A bar an action, with its status in colour, pattern and words. `words` says the same as text."""

    def __init__(self, actions: Sequence[Action], title: str) -> None:
        self.actions = tuple(actions)
        self.title = title

    @property
    def words(self) -> str:
        told = ", ".join(f"{action.label} {action.status}" for action in self.actions)
        return f"{self.title or 'Stages'} on a time axis: {told or 'nothing has begun'}"

    def __repr__(self) -> str:
        return self.words

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        figure = self.figure()
        width, height = (int(inches * 72) for inches in figure.get_size_inches())
        target = io.BytesIO()
        figure.savefig(target, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
        return target.getvalue(), {"width": width, "height": height, "alt": self.words}

    def figure(self) -> Figure:
        with matplotlib.rc_context(FONT):
            height = REST_INCHES + ROW_INCHES * max(len(self.actions), 1)
            figure: Figure = figures.Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
            axes = figure.add_subplot()
            self._draw(axes)
            return figure

    def _draw(self, axes: Axes) -> None:
        begin = min((action.started for action in self.actions), default=None)
        offsets = [(action.started - begin).total_seconds() for action in self.actions] if begin else []
        bars = list(zip(offsets, self.actions, strict=True))
        whole = max([1.0, *(at + action.seconds for at, action in bars)])
        for row, (at, action) in enumerate(bars):
            _bar(axes, row, at, action, whole)
        labels = [action.label for action in self.actions]
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(max(len(labels), 1) - 0.4, -0.6)
        axis.time_axis(axes, whole)
        if self.title:
            axes.set_title(self.title, loc="left", fontweight="bold", pad=10)


def stages_picture(actions: Sequence[Action], title: str = "") -> StagesPicture:
    return StagesPicture(actions, title)


def _bar(axes: Axes, row: int, at: float, action: Action, whole: float) -> None:
    axes.barh(
        row,
        max(action.seconds, whole * LEAST_SHARE),
        left=at,
        height=BAR,
        color=COLOURS.get(action.status, INK),
        hatch=HATCHES.get(action.status, ""),
        edgecolor="white",
        linewidth=0,
    )
    words = duration(action.seconds) + ("" if action.status == "Succeeded" else f", {action.status}")
    axes.annotate(
        words,
        (at + action.seconds, row),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )
