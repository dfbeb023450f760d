"""One sandbox a kind of machines, with a released deployment that all tests of this folder share.

Its tests stay together in one worker, in the order below: each finds what those before it left. Those that
remove the deployment come after all that use it, and last come those that need none.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.e2e.world import Deployment, World
from tests.sandbox.host import namespaces_allowed, skip_unless_allowed

ORDER = (
    "test_release",
    "test_tools",
    "test_second_release",
    "test_failures",
    "test_records",
    "test_way_back",
    "test_images",
    "test_side_by_side",
    "test_resume",
    "test_jobs",
    "test_teardown",
    "test_repair",
    "test_removal",
    "test_airflow",
    "test_inside_aws",
    "test_schedulers",
    "test_masking",
    "test_ordinary_user",
)
KINDS = ("probed", "chroot")
"""machines as `gbg up` chooses them, and those of a default container, forced"""
OLDER = "2023.12.20260608"
"""the OS release that the source AMI is on"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [index for index, item in enumerate(items) if item.path.parent.name == "e2e"]
    ordered = sorted((items[index] for index in ours), key=_place)
    for index, item in zip(ours, ordered, strict=True):
        items[index] = item
        item.add_marker(pytest.mark.xdist_group(f"e2e-{_kind(item)}"))


def _place(item: pytest.Item) -> tuple[str, int]:
    name = item.path.stem
    return _kind(item), ORDER.index(name)


def _kind(item: pytest.Item) -> str:
    called = getattr(item, "callspec", None)
    return str(called.params.get("world", "alone")) if called else "alone"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module's KINDS say on which sandboxes its tests run; by default on the probed kind alone."""
    if "world" in metafunc.fixturenames:
        metafunc.parametrize(
            "world", getattr(metafunc.module, "KINDS", KINDS[:1]), indirect=True, scope="session"
        )


@pytest.fixture(scope="session")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A sandbox process on machines of one kind."""
    kind = None if request.param == "probed" else request.param
    folder = tmp_path_factory.mktemp(f"e2e-{request.param}")
    skip_unless_allowed(kind, folder)
    made = World(folder, kind)
    if kind is None and namespaces_allowed(folder):
        assert made.running.machines == "namespaces"
    yield made
    made.close()


@pytest.fixture(scope="session")
def deployment(world: World) -> Deployment:
    """`gbg`: Parts 1 to 3, and its first release over."""
    made = world.deployment(os_release=OLDER)
    made.make_base()
    made.make_pipeline()
    made.succeed(made.run.choose()[0])
    return made
