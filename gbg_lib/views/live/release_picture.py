"""The picture of a release that goes on: stages in a row, steps, machines as squares, traffic as a chart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gbg_lib.pipeline import BAKE, BUILD
from gbg_lib.views.live import svg
from gbg_lib.views.live.board import SIGNS, Mark, whole
from gbg_lib.views.live.marks import counted, done, mark, needed, visited
from gbg_lib.views.live.screen import Picture
from gbg_lib.views.table import duration
from gbg_lib.watch.traffic import COLOURS, Visit, counts

if TYPE_CHECKING:
    from gbg_lib.pipeline import Action
    from gbg_lib.views.live.release import ReleaseState

LEFT, CELL, LINE = 16.0, 15.0, 22.0
STAGE_HIGH, GAP = 62.0, 14.0
LABEL = 204.0
MOST_MACHINES = 24
"""lines; the words below have them all"""


def drawing(state: ReleaseState) -> Picture:
    parts: list[str] = [svg.headline(22, state.title)]
    y = 34.0
    for draw in (_stages, _pieces, _machines, _traffic):
        more, high = draw(state, y)
        parts += more
        y += high
    return svg.picture(y + 4, parts, state.title)


def _stages(state: ReleaseState, y: float) -> tuple[list[str], float]:
    """A box a stage and gate, with how much of the usual time has gone."""
    stages = state.stages
    wide = (svg.WIDTH - 2 * LEFT - GAP * (len(stages) - 1)) / len(stages)
    parts: list[str] = []
    for number, (name, action) in enumerate(stages):
        parts += _stage(state, name, action, LEFT + number * (wide + GAP), y, wide)
    return parts, STAGE_HIGH + 16


def _stage(
    state: ReleaseState, name: str, action: Action | None, x: float, y: float, wide: float
) -> Iterator[str]:
    now: Mark = mark(action.status) if action else "waiting"
    ink = svg.FILLS[now][1]
    usual = state.usual.get(name)
    over = action is not None and action.status != "InProgress"
    took = "" if action is None else duration(action.seconds) if over else whole(action.seconds)
    yield svg.box(x, y, wide, STAGE_HIGH, now)
    yield svg.text(x + 8, y + 19, f"{SIGNS[now]} {name}", size=12.5, ink=ink, bold=True)
    yield svg.text(x + 8, y + 36, f"{action.status if action else now}  {took}".strip(), size=11.5, ink=ink)
    if usual:
        yield svg.text(x + 8, y + 51, f"usually {duration(usual.seconds)}", size=11, ink=ink)
        share = action.seconds / usual.seconds if action and usual.seconds else 0.0
        yield svg.progress(
            x, y + STAGE_HIGH + 3, wide, 1.0 if over else share, over=over, bad=now == "failed"
        )


def _pieces(state: ReleaseState, y: float) -> tuple[list[str], float]:
    """A square a step of the bake and a phase of the build."""
    parts: list[str] = []
    high = 0.0
    for title, stage, told in (("Bake", BAKE, state.bake), ("Build", BUILD, state.build)):
        pieces = needed(told, well=state.went_well(stage))
        if not pieces:
            continue
        current = next((one for one in pieces if mark(one.status) not in ("done", "waiting")), None)
        parts.append(svg.text(LEFT, y + high + 12, title, bold=True))
        parts.append(svg.text(LEFT + 50, y + high + 12, done(pieces)))
        for number, one in enumerate(pieces):
            parts.append(svg.cell(LABEL + number * (CELL + 4), y + high, CELL, mark(one.status), one.name))
        if current is not None:
            at = LABEL + len(pieces) * (CELL + 4) + 8
            parts.append(svg.text(at, y + high + 12, f"{SIGNS[mark(current.status)]} {current.name}"))
        high += LINE
    return parts, high + (6 if high else 0)


def _machines(state: ReleaseState, y: float) -> tuple[list[str], float]:
    """A line a machine, a square a lifecycle event."""
    parts: list[str] = []
    for line, machine in enumerate(state.machines[:MOST_MACHINES]):
        at = y + line * LINE
        ground, ink = svg.SIDES.get(machine.side.lower(), svg.SIDES["nobody"])
        parts.append(f"<rect x='{LEFT}' y='{at:.1f}' width='44' height='{CELL + 2}' rx='4' fill='{ground}'/>")
        parts.append(svg.text(LEFT + 22, at + 12.5, machine.side, size=11, ink=ink, middle=True))
        parts.append(svg.text(LEFT + 52, at + 12.5, machine.instance, size=10.5))
        for number, event in enumerate(machine.events):
            parts.append(svg.cell(LABEL + number * (CELL + 4), at, CELL, mark(event.status), event.name))
        said = state.standing(machine.instance)
        parts.append(svg.text(LABEL + len(machine.events) * (CELL + 4) + 8, at + 12.5, said, size=11.5))
    high = LINE * min(len(state.machines), MOST_MACHINES)
    return parts, high + (6 if high else 0)


def _traffic(state: ReleaseState, y: float) -> tuple[list[str], float]:
    """Visits over time, a lane a colour: a tick a visit, at its moment."""
    if not state.visits:
        return [], 0.0
    last = max(one.at for one in state.visits) or 1.0
    told = counts(state.visits)
    parts = [svg.text(LEFT, y + 12, "Who answered visitors", bold=True)]
    for lane, who in enumerate(COLOURS):
        at = y + 20 + lane * LINE
        ground, ink = svg.SIDES[who]
        parts.append(f"<rect x='{LEFT}' y='{at:.1f}' width='56' height='{CELL + 2}' rx='4' fill='{ground}'/>")
        parts.append(svg.text(LEFT + 28, at + 12.5, who, size=11, ink=ink, middle=True))
        parts.append(svg.text(LEFT + 64, at + 12.5, counted(told[who], "visit"), size=11.5))
        parts.append(_lane(state.visits, who, at, ground, last))
    end = y + 20 + len(COLOURS) * LINE
    parts.append(svg.text(svg.WIDTH - 16 - 90, end + 6, visited(state.visits), size=11))
    return parts, 20 + len(COLOURS) * LINE + 12


def _lane(visits: Sequence[Visit], who: str, y: float, ground: str, last: float) -> str:
    wide = svg.WIDTH - LABEL - LEFT
    ticks = "".join(
        f"<rect x='{LABEL + wide * one.at / last - 1:.1f}' y='{y:.1f}' width='2' height='{CELL + 2}'/>"
        for one in visits
        if one.who == who
    )
    line = f"<line x1='{LABEL}' y1='{y + 9:.1f}' x2='{LABEL + wide}' y2='{y + 9:.1f}' stroke='#d0d7de'/>"
    return f"{line}<g fill='{ground}'>{ticks}</g>"
