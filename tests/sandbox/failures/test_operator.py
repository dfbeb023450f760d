"""What happens to whoever follows a release does not happen to the release."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from gbg_lib.errors import AccessRefused
from gbg_lib.steps import ReleaseRun
from tests.command import clean_environment
from tests.sandbox.e2e.world import Deployment, exhaust
from tests.sandbox.failures.conftest import Table
from tests.sandbox.failures.hindered import Expiry, Throttle, hindered

pytestmark = pytest.mark.xdist_group("failures-1")
GROUP = 1


@pytest.fixture
def deployment(table: Table) -> Deployment:
    return table.deployment(GROUP)


def test_throttling_on_every_call_is_waited_out(deployment: Deployment) -> None:
    throttle = Throttle()
    step = ReleaseRun(deployment.parameters, hindered(deployment.aws, throttle))
    execution = step.pipeline.start()
    exhaust(step.follow(execution))
    assert step.check(execution)
    assert throttle.refused >= 10
    deployment.releases.append(step.release(execution))


def test_credentials_that_expire_midway_stop_the_watching_and_not_the_release(deployment: Deployment) -> None:
    expiry = Expiry(12)
    step = ReleaseRun(deployment.parameters, hindered(deployment.aws, expiry))
    execution = step.pipeline.start()
    with pytest.raises(AccessRefused, match=r"security token .* expired") as told:
        exhaust(step.follow(execution))
    assert "keys" in told.value.try_this
    assert not deployment.run.pipeline.execution(execution).over
    expiry.renewed = True
    assert step.choose() == (execution, "the newest; it is going on")
    exhaust(step.follow(execution))
    assert step.check(execution)


def test_the_operators_killed_process_leaves_the_release_alone(deployment: Deployment, table: Table) -> None:
    """A process that follows a release is killed without warning; another one takes over."""
    execution = deployment.run.pipeline.start()
    home = table.home(GROUP)
    watcher = subprocess.Popen(
        [sys.executable, "-m", "gbg_cli", "run", "4"],
        cwd=home.parent,
        env=clean_environment(GBG_HOME=str(home), GBG_RUNS=str(home.parent / "runs")),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deployment.until(
        lambda: len(deployment.run.pipeline.actions(execution)) > 1, "the bake", limit_seconds=60
    )
    os.killpg(watcher.pid, signal.SIGKILL)
    watcher.wait()
    assert deployment.run.choose()[0] == execution
    exhaust(deployment.run.follow(execution))
    assert deployment.run.check(execution)
    newest = deployment.run.pipeline.executions()[0]
    assert newest.id == execution, "nobody started a second release"
