"""A way back or a teardown while it goes on: a row a step with its latest status."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, TypeVar

from gbg_lib.replay.clock import monotonic
from gbg_lib.teardown.removal import Told
from gbg_lib.typical import Usual, shipped
from gbg_lib.views.live import svg
from gbg_lib.views.live.board import Board, Mark, Row, Section, so_far
from gbg_lib.views.live.following import following
from gbg_lib.views.live.marks import counted
from gbg_lib.views.live.screen import Picture, Screen
from gbg_lib.watch.traffic import Traffic, counts
from gbg_lib.way_back.rollback import Progress

if TYPE_CHECKING:
    from gbg_lib.steps import Step

News = TypeVar("News")
WIDE, LINE, COLUMNS = 208.0, 24.0, 4
MARKS: dict[str, Mark] = {"done": "done", "skipped": "done", "going on": "going on"}
GOES_ON = """AWS ends the step that it is at; the next ones are not begun.
To go on: run this notebook again from its plan on; it looks at what is there and takes what is left."""
NOTHING = "Nothing was removed."


class StepsView:
    """`row` makes a line of a piece of news, under its key."""

    def __init__(
        self,
        title: str,
        usual: Usual | None,
        traffic: Traffic | None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.screen = Screen()
        self.rows: dict[Hashable, Row] = {}
        self._title, self._usual, self._traffic = title, usual, traffic
        self._clock, self._began = clock, clock()

    def look(self) -> None:
        if self._traffic:
            self._traffic.visit("")

    def draw(self, *, over: bool = False, note: str = "") -> None:
        if not self.rows:
            return
        done = sum(row.mark == "done" for row in self.rows.values())
        took = so_far(self._clock() - self._began, self._usual, over=over)
        counted = f"{len(self.rows)} steps" if over else f"{len(self.rows)} steps so far"
        title = f"{self._title}: {done} of {counted} done, {took}"
        sections = (Section("Steps", tuple(self.rows.values())), *self._visits())
        shown = Board(f"{title}; {note}" if note else title, sections)
        self.screen.show(shown, lambda: drawing(shown))

    def _visits(self) -> tuple[Section, ...]:
        made = self._traffic.visits if self._traffic else []
        if not made:
            return ()
        told = counts(made)
        rows = (
            Row("done", "somebody", counted(told["blue"] + told["green"], "visit")),
            Row("failed" if told["nobody"] else "done", "nobody", counted(told["nobody"], "visit")),
        )
        return (Section("Who answered visitors", rows),)


def drawing(shown: Board) -> Picture:
    """A square a step, in its order."""
    parts = [svg.headline(24, shown.title)]
    rows = [row for section in shown.sections for row in section.rows]
    for number, row in enumerate(rows):
        x, y = 16 + number % COLUMNS * (WIDE + 5), 40 + number // COLUMNS * LINE
        said = f"{row.name}: {row.status}"
        parts.append(svg.cell(x, y, 16, row.mark, said))
        parts.append(svg.text(x + 22, y + 12.5, said if len(said) < 32 else f"{said[:31]}…", size=11))
    high = 40 + (len(rows) + COLUMNS - 1) // COLUMNS * LINE
    return svg.picture(high + 10, parts, shown.title)


def show_progress(events: Iterable[Progress], step: Step | None = None) -> None:
    """A way back being taken, and whether visitors are answered meanwhile."""
    view = StepsView("Way back", None, Traffic(step.base["SiteUrl"]) if step else None)

    def hear(event: Progress) -> None:
        view.rows[event.step] = Row(MARKS.get(event.status, "failed"), event.step, event.status, event.told)
        view.draw()

    following(events, hear, view.draw, step.aws if step else None, view.look, goes_on=GOES_ON)


def show_teardown(news: Iterable[Told], step: Step | None = None) -> None:
    """A row a thing with its latest status, while things go."""
    usual = shipped(step.parameters.cloud, "teardown") if step else None
    view = StepsView("Teardown", usual, None)

    def hear(told: Told) -> None:
        key = (told.part, told.thing)
        view.rows[key] = Row(gone(told.status), f"{told.part}: {told.thing}", told.status)
        view.draw()

    following(news, hear, view.draw, step.aws if step else None, goes_on=GOES_ON)
    if not view.rows:
        view.screen.show(Board(NOTHING, ()))


def gone(status: str) -> Mark:
    if status.endswith("FAILED"):
        return "failed"
    return "done" if status.endswith(("COMPLETE", "gone", "over", "deleted")) else "going on"
