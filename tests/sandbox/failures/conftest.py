"""A sandbox and a released deployment for each group of rows; a row's release runs once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gbg_lib import faults
from tests.sandbox.e2e.world import Deployment, World
from tests.sandbox.failures.rows import ROWS, Row
from tests.sandbox.failures.trial import Outcome, Trial


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        called = getattr(item, "callspec", None)
        row = called.params.get("row") if called else None
        if item.path.parent == Path(__file__).parent and row is not None:
            item.add_marker(pytest.mark.xdist_group(f"failures-{row.group}"))


def released(world: World) -> Deployment:
    """Parts 1 to 3 and a first release; a push alone starts no further one."""
    made = world.deployment()
    made.make_base()
    made.make_pipeline()
    made.succeed(made.run.choose()[0])
    made.aws.call("events", "disable_rule", Name=f"{made.name}-push")
    return made


class Table:
    """Outcomes by row; worlds by group. A trial that broke breaks every test of its row."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._worlds: dict[int, tuple[World, Trial]] = {}
        self._outcomes: dict[str, Outcome | Exception] = {}

    def outcome(self, row: Row) -> Outcome:
        if row.fault not in self._outcomes:
            try:
                trial, fault = self._trial(row.group), faults.CATALOGUE[row.fault]
                self._outcomes[row.fault] = trial.run(fault, serves=row.serves, orphans=bool(row.left))
            except Exception as error:
                self._outcomes[row.fault] = error
        found = self._outcomes[row.fault]
        if isinstance(found, Exception):
            raise found
        return found

    def deployment(self, group: int) -> Deployment:
        return self._trial(group).of

    def home(self, group: int) -> Path:
        """GBG_HOME of the group's sandbox."""
        return self._folder / str(group) / "home"

    def _trial(self, group: int) -> Trial:
        if group not in self._worlds:
            world = World(self.home(group), None)
            self._worlds[group] = world, Trial(released(world))
        return self._worlds[group][1]

    def close(self) -> None:
        for world, _ in self._worlds.values():
            world.close()


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Table]:
    made = Table(tmp_path_factory.mktemp("failures"))
    yield made
    made.close()


@pytest.fixture(params=ROWS, ids=[row.fault for row in ROWS])
def row(request: pytest.FixtureRequest) -> Row:
    found: Row = request.param
    return found


@pytest.fixture
def outcome(row: Row, table: Table) -> Outcome:
    return table.outcome(row)
