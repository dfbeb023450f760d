"""The picture of a record: stages, bake steps, machines, traffic, errors and alarms on one time axis."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gbg_lib.record.archive import Archive
from gbg_lib.record.format import Evidence, odd_is_refused
from gbg_lib.record.story import BAD, side
from gbg_lib.record.words import plain
from gbg_lib.views.late import axis, figures, matplotlib, shapes
from gbg_lib.views.stages import DOTS_PER_INCH, FAINT, FONT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_INCHES, ROW_INCHES = 10.0, 0.26
PANEL_INCHES = 1.5
REST_INCHES, TOP_INCHES, BOTTOM_INCHES = 1.2, 0.4, 0.45
LEFT_SHARE = 0.2
"""of the width, for the names of rows"""
GOOD, FAILED, BLUE, GREEN, GREY = "#0072b2", "#d55e00", "#56b4e9", "#009e73", "#999999"
"""Okabe and Ito's palette"""
MOST_MACHINES = 24
"""rows; a larger fleet shows those in which something failed first"""
NARROW = 0.002
"""share of the axis, so that a thing of no time is seen"""


@dataclass(frozen=True)
class Bar:
    row: str
    begin: datetime
    seconds: float
    colour: str
    failed: bool = False


class RecordChart:
    """`words` says the same as text."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        summary = archive.manifest.summary
        self.title = f"{plain(summary.get('message', ''), 70)}: {plain(summary.get('status', ''))}"

    @property
    def words(self) -> str:
        actions = self._archive.of("action")
        told = ", ".join(f"{plain(one.data.get('stageName'))} {one.seconds:.0f} s" for one in actions)
        return f"{self.title}; on one time axis: {told}; machines, traffic, errors and alarms below"

    def __repr__(self) -> str:
        return self.words

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        figure = self.figure()
        width, height = (int(inches * 72) for inches in figure.get_size_inches())
        return self.png(figure), {"width": width, "height": height, "alt": self.words}

    def png(self, figure: Figure | None = None) -> bytes:
        target = io.BytesIO()
        drawn = figure or self.figure()
        drawn.savefig(target, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
        return target.getvalue()

    @odd_is_refused
    def figure(self) -> Figure:
        execution = self._archive.one("execution")
        if execution is None or execution.at is None:
            empty: Figure = figures.Figure(figsize=(WIDTH_INCHES, 1))
            return empty
        bars = [*_stages(self._archive), *_steps(self._archive), *_machines(self._archive)]
        rows = list(dict.fromkeys(bar.row for bar in bars))
        ends = [bar.begin + timedelta(seconds=bar.seconds) for bar in bars]
        whole = max([1.0, *((end - execution.at).total_seconds() for end in ends)])
        alarms = _alarms(self._archive, execution.at, whole)
        below = (len({bar.row for bar in alarms}) + 1) * ROW_INCHES
        heights = [max(len(rows), 1) * ROW_INCHES, PANEL_INCHES, PANEL_INCHES * 0.8, below]
        with matplotlib.rc_context({**FONT, "font.size": 9}):
            tall = sum(heights) + REST_INCHES
            figure: Figure = figures.Figure(figsize=(WIDTH_INCHES, tall))
            figure.subplots_adjust(  # a layout of matplotlib's own would draw everything twice
                left=LEFT_SHARE,
                right=0.995,
                top=1 - TOP_INCHES / tall,
                bottom=BOTTOM_INCHES / tall,
                hspace=0.12,
            )
            axes = figure.subplots(4, 1, sharex=True, gridspec_kw={"height_ratios": heights})
            _draw_bars(axes[0], bars, rows, execution.at, whole)
            _draw_traffic(axes[1], self._archive, execution.at)
            _draw_serving(axes[2], self._archive, execution.at, whole)
            _draw_alarms(axes[3], alarms, execution.at, whole)
            for one in axes[:-1]:
                _plain_frame(one)
            axis.time_axis(axes[3], whole)
            axes[0].set_title(_safe(self.title), loc="left", fontweight="bold", pad=10)
            return figure


def record_chart(archive: Archive) -> RecordChart:
    return RecordChart(archive)


def _stages(archive: Archive) -> list[Bar]:
    return [
        _bar(plain(one.data["stageName"]), one, one.data["status"]) for one in archive.of("action") if one.at
    ]


def _steps(archive: Archive) -> list[Bar]:
    steps = archive.of("bake.step")
    bars = [_bar("  bake steps", one, one.data["StepStatus"], light=True) for one in steps if one.at]
    phases = archive.of("build.phase")
    return bars + [
        _bar("  build phases", one, one.data.get("phaseStatus", ""), light=True) for one in phases if one.at
    ]


def _machines(archive: Archive) -> list[Bar]:
    """A row a machine, with its events; blue and green by colour."""
    events = [one for one in archive.of("machine.event") if one.at and one.data.get("status") != "Skipped"]
    names = list(dict.fromkeys(str(one.data["machine"]) for one in events))
    failed = {str(one.data["machine"]) for one in events if one.data["status"] in BAD}
    shown = sorted(names, key=lambda name: name not in failed)[:MOST_MACHINES]
    bars = []
    for one in events:
        name = str(one.data["machine"])
        if name in shown and one.at:
            colour = GREEN if side(one) == "Green" else BLUE
            bad = one.data["status"] in BAD
            row = f"  {plain(name, 24)}"
            bars.append(Bar(row, one.at, one.seconds, FAILED if bad else colour, bad))
    return bars


def _bar(row: str, one: Evidence, status: str, *, light: bool = False) -> Bar:
    bad = status in BAD
    assert one.at is not None
    return Bar(row, one.at, one.seconds, FAILED if bad else GREY if light else GOOD, bad)


def _draw_bars(axes: Axes, bars: Sequence[Bar], rows: Sequence[str], begin: datetime, whole: float) -> None:
    for colour, failed in dict.fromkeys((bar.colour, bar.failed) for bar in bars):
        alike = [bar for bar in bars if (bar.colour, bar.failed) == (colour, failed)]
        corners = [
            _corners(
                (bar.begin - begin).total_seconds(),
                max(bar.seconds, whole * NARROW),
                rows.index(bar.row),
                0.66,
            )
            for bar in alike
        ]
        drawn = shapes.PolyCollection(corners, facecolors=colour, edgecolors="white", linewidths=0.4)
        if failed:
            drawn.set_hatch("xxxx")
        axes.add_collection(drawn, autolim=False)
    axes.set_yticks(range(len(rows)), [_safe(row) for row in rows])
    axes.set_ylim(max(len(rows), 1) - 0.4, -0.6)


Counted = list[tuple[float, float, float]]
"""begin and length in seconds of the axis, and what was counted a second"""


def _draw_traffic(axes: Axes, archive: Archive, begin: datetime) -> None:
    """Requests a second in the colour that served, and those that ended in an error of a server.

    A load balancer doesn't count by colour. While both have traffic, their machines share the requests,
    as each is given as many.
    """
    requests = _counted(archive, begin, "RequestCount")
    blue = _blues(requests, _serving(archive, begin))
    shown = (
        (requests, GREEN, "requests/s (green)"),
        (blue, BLUE, "requests/s (blue)"),
        (_counted(archive, begin, "HTTPCode_Target_5XX_Count"), FAILED, "errors/s (application)"),
        (_counted(archive, begin, "HTTPCode_ELB_5XX_Count"), "#cc79a7", "errors/s (balancer)"),
    )
    for counted, colour, label in shown:
        if counted:
            corners = [_corners(left, length, value / 2, value) for left, length, value in counted]
            axes.add_collection(shapes.PolyCollection(corners, facecolors=colour, label=label), autolim=False)
    highest = max((value for counted, *_ in shown for *_, value in counted), default=0.0)
    axes.set_ylim(0, highest * 1.35 or 1.0)
    if axes.collections:
        axes.legend(loc="upper left", fontsize=8, frameon=False, ncols=len(shown))
    axes.set_ylabel("traffic")


def _counted(archive: Archive, begin: datetime, metric: str) -> Counted:
    """At the finest that there is."""
    series = [one for one in archive.of("traffic") if one.data["metric"] == metric]
    fine = min((one for one in series if one.data["values"]), key=_period, default=None)
    if fine is None or fine.at is None:
        return []
    period = float(fine.data.get("resolution") or fine.data["period"])
    offset = (fine.at - begin).total_seconds()
    pairs = zip(fine.data["seconds"], fine.data["values"], strict=True)
    return [(offset + float(second), period, float(value) / period) for second, value in pairs]


MOMENTS: dict[str, Callable[[Evidence], datetime | None]] = {
    "AllowTraffic": lambda event: event.until,
    "BlockTraffic": lambda event: event.at,
}
"""event → from when on it holds: a machine gets requests once it is healthy, and none while it drains"""
Steps = dict[str, tuple[list[float], list[int]]]
"""colour → when the number of its machines with traffic changed, and to what"""


def _blues(requests: Counted, serving: Steps) -> Counted:
    """Blue's part of what was counted, by the middle of each period."""
    found = []
    for left, length, value in requests:
        blue, green = (_at(serving[colour], left + length / 2) for colour in ("Blue", "Green"))
        share = blue / (blue + green) if blue + green else 1.0
        found.append((left, length, value * share))
    return found


def _at(steps: tuple[list[float], list[int]], moment: float) -> int:
    times, counts = steps
    return counts[max(bisect_right(times, moment) - 1, 0)]


def _serving(archive: Archive, begin: datetime) -> Steps:
    """How many machines of each colour have traffic, by their lifecycle events."""
    changes = []
    for one in archive.of("machine.event"):
        name = one.data["lifecycleEventName"]
        if one.data.get("status") == "Succeeded" and name in MOMENTS and (moment := MOMENTS[name](one)):
            at = (moment - begin).total_seconds()
            changes.append((at, name, str(one.data["machine"]), side(one) or "Blue"))
    found: Steps = {}
    for colour in ("Blue", "Green"):
        serving = _at_first(archive) if colour == "Blue" else set()
        times, counts = [0.0], [len(serving)]
        for at, name, machine, of in sorted(changes):
            if of == colour:
                serving = serving | {machine} if name == "AllowTraffic" else serving - {machine}
                times.append(at)
                counts.append(len(serving))
        found[colour] = (times, counts)
    return found


def _draw_serving(axes: Axes, archive: Archive, begin: datetime, whole: float) -> None:
    for label, (times, counts) in _serving(archive, begin).items():
        colour = BLUE if label == "Blue" else GREEN
        axes.step([*times, whole], [*counts, counts[-1]], where="post", color=colour, label=label.lower())
    axes.legend(loc="upper left", fontsize=8, frameon=False, ncols=2)
    axes.set_ylabel("machines\nthat serve")
    axes.set_ylim(0, axes.get_ylim()[1] * 1.2)


def _at_first(archive: Archive) -> set[str]:
    """Machines before the release: as somebody saw them, or the deployment's blue ones."""
    for one in archive.of("target.health"):
        if one.data.get("moment") == "before":
            healthy = [it for it in one.data["targets"] if it["TargetHealth"]["State"] == "healthy"]
            return {str(it["Target"]["Id"]) for it in healthy}
    machines = archive.of("machine")
    return {str(one.data["targetId"]) for one in machines if str(one.data["instanceLabel"]).title() == "Blue"}


def _draw_alarms(axes: Axes, alarms: Sequence[Bar], begin: datetime, whole: float) -> None:
    """A row an alarm that was on, a bar while it was; hatched where it was on at the end."""
    rows = list(dict.fromkeys(bar.row for bar in alarms))
    if not rows:
        axes.annotate(
            "none was on", (0, 0), xytext=(6, 0), textcoords="offset points", va="center", color=GREY
        )
    _draw_bars(axes, alarms, rows, begin, whole)
    if not rows:
        axes.set_yticks([0], ["alarms"])


def _alarms(archive: Archive, begin: datetime, whole: float) -> list[Bar]:
    """What was on during the release."""
    bars = []
    on: dict[str, datetime] = {}
    end = begin + timedelta(seconds=whole)
    for one in archive.of("alarm.change"):
        summary, name = str(one.data.get("HistorySummary", "")), str(one.data.get("AlarmName"))
        if one.at is None or " to " not in summary:
            continue
        if "to ALARM" in summary:
            on[name] = max(one.at, begin)
        elif name in on and one.at > begin:
            since = on.pop(name)
            bars.append(Bar(plain(name, 24), since, (one.at - since).total_seconds(), FAILED))
        else:
            on.pop(name, None)
    bars += [
        Bar(plain(name, 24), since, (end - since).total_seconds(), FAILED, True)
        for name, since in on.items()
        if since < end
    ]
    return bars


def _plain_frame(axes: Axes) -> None:
    axes.grid(axis="x", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, colors=INK)


def _corners(left: float, width: float, middle: float, height: float) -> list[tuple[float, float]]:
    low, high = middle - height / 2, middle + height / 2
    return [(left, low), (left + width, low), (left + width, high), (left, high)]


def _period(one: Evidence) -> float:
    return float(one.data["period"])


def _safe(text: str) -> str:
    """matplotlib reads what is between two $ as mathematics."""
    return text.replace("$", r"\$")
