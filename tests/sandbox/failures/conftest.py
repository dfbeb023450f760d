"""A sandbox and a released deployment for each group of rows; a row's release runs once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from gbg_lib import faults
from tests.sandbox.e2e.world import Deployment, World
from tests.sandbox.failures.rows import ALARM, ROWS, Row
from tests.sandbox.failures.trial import Outcome, Trial

TERMINATION_WAIT_MINUTES = 15
TO_COME = pytest.StashKey[Counter[int | None]]()
"""tests by group that are yet to end"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        called = getattr(item, "callspec", None)
        row = called.params.get("row") if called else None
        if item.path.parent == Path(__file__).parent and row is not None:
            item.add_marker(pytest.mark.xdist_group(f"failures-{row.group}"))


def group_of(item: pytest.Item) -> int | None:
    """Whose world a test of this folder works in."""
    marked = item.get_closest_marker("xdist_group") if item.path.parent == Path(__file__).parent else None
    return int(marked.args[0].rpartition("-")[2]) if marked else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """After what was not asked for is left out."""
    session.config.stash[TO_COME] = Counter(group_of(item) for item in session.items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a failed test leaves behind is no later test's place to begin."""
    report = yield
    given = getattr(item, "funcargs", {})
    module = item.getparent(pytest.Module)
    if report.failed and module is not None and isinstance(given.get("table"), Table) and "row" not in given:
        given["table"].give_up(given.get("group", getattr(module.obj, "GROUP", 0)))
    return report


def released(world: World) -> Deployment:
    """Parts 1 to 3 and a first release; a push alone starts no further one.

    Blue waits for its end long enough for what is to happen meanwhile, on a slow machine, too.
    """
    made = world.deployment(termination_wait_minutes=TERMINATION_WAIT_MINUTES)
    made.make_base()
    made.make_pipeline()
    made.succeed(made.run.choose()[0])
    made.aws.call("events", "disable_rule", Name=f"{made.name}-push")
    return made


class Table:
    """Outcomes by row; worlds by group.

    A trial that broke breaks every test of its row. After it, and after a release that did not end as its row
    says, the next row begins in a new world.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0
        self._worlds: dict[int, tuple[World, Trial]] = {}
        self._outcomes: dict[str, Outcome | Exception] = {}

    def outcome(self, row: Row) -> Outcome:
        if row.fault not in self._outcomes:
            self._outcomes[row.fault] = self._run(row)
            if self._spoilt(row):
                self.give_up(row.group)
        found = self._outcomes[row.fault]
        if isinstance(found, Exception):
            raise found
        return found

    def _run(self, row: Row) -> Outcome | Exception:
        try:
            trial, fault = self._trial(row.group), faults.CATALOGUE[row.fault]
            return trial.run(fault, serves=row.serves, orphans=bool(row.left), alarm=row.deployment == ALARM)
        except Exception as error:
            return error

    def _spoilt(self, row: Row) -> bool:
        found = self._outcomes[row.fault]
        return isinstance(found, Exception) or found.spoils(row.pipeline, row.serves)

    def give_up(self, group: int) -> None:
        """Close the group's world; the next that asks for it gets a new one."""
        if group in self._worlds:
            self._worlds.pop(group)[0].close()

    def begun(self, group: int) -> bool:
        """Whether a test has asked for the group's world."""
        return group in self._worlds

    def deployment(self, group: int) -> Deployment:
        return self._trial(group).of

    def home(self, group: int) -> Path:
        """GBG_HOME of the group's sandbox."""
        self._trial(group)
        return self._worlds[group][0].home.folder

    def _trial(self, group: int) -> Trial:
        if group not in self._worlds:
            self._made += 1
            world = World(self._folder / str(self._made) / "home", None)
            try:
                self._worlds[group] = world, Trial(released(world))
            except Exception:
                world.close()
                raise
        return self._worlds[group][1]

    def close(self) -> None:
        for group in list(self._worlds):
            self.give_up(group)


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Table]:
    made = Table(tmp_path_factory.mktemp("failures"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def closed_with_its_last_test(request: pytest.FixtureRequest, table: Table) -> Iterator[None]:
    """A world that nobody will ask for any more is closed, and its processes with it."""
    yield
    group, to_come = group_of(request.node), request.config.stash[TO_COME]
    to_come[group] -= 1
    if group is not None and not to_come[group]:
        table.give_up(group)


@pytest.fixture(params=ROWS, ids=[row.fault for row in ROWS])
def row(request: pytest.FixtureRequest) -> Row:
    found: Row = request.param
    return found


@pytest.fixture
def outcome(row: Row, table: Table) -> Outcome:
    return table.outcome(row)
