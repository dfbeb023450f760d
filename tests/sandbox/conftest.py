"""A sandbox for each test: quick with machines that only pretend, or with real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gbg_sandbox.cloud import Cloud
from tests.sandbox.fakes import FakeMachines

if TYPE_CHECKING:
    from botocore.client import BaseClient

QUICK_SCALE = 600.0


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A running sandbox on fake machines (`cloud.machines` is the FakeMachines); ten AWS minutes a second."""
    made = Cloud(
        tmp_path / "state", open_machines=lambda *_: FakeMachines(tmp_path / "machines"), scale=QUICK_SCALE
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def client(cloud: Cloud) -> Callable[[str], BaseClient]:
    """`client("ec2")`: a client as AWS itself, without IAM in the way."""
    return cloud.client
