"""A time axis from a release's begin, for pictures by matplotlib: loaded with the first of them."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from gbg_lib.views.stages import FAINT, INK

UNITS = ((7200.0, 3600.0, "hours"), (180.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))
"""from so many seconds on, seconds a unit, its name"""


def time_axis(axes: Axes, whole: float) -> None:
    """Round steps in the unit that fits; room at the right for the last bar's words."""
    _, unit, name = next(found for found in UNITS if whole >= found[0])
    axes.set_xlim(0, whole * 1.18)
    axes.xaxis.set_major_locator(_Steps(unit))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds / unit:g}"))
    axes.set_xlabel(f"{name} since the release began", loc="left", color=INK)
    axes.grid(axis="x", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, colors=INK)


class _Steps(MaxNLocator):
    """Round numbers of the unit instead of round numbers of seconds."""

    def __init__(self, unit: float) -> None:
        super().__init__(nbins=8, integer=True, steps=[1, 2, 5, 10])
        self._unit = unit

    def tick_values(self, vmin: float, vmax: float) -> Any:
        return [self._unit * tick for tick in super().tick_values(vmin / self._unit, vmax / self._unit)]
