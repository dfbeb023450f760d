"""What pid 1 of the sandbox's machines does with processes, as far as it takes no machine."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

import gbg_sandbox

PLACE = Path(gbg_sandbox.__file__).parent / "machines/guest/usr/lib/gbg-guest/init/processes.py"


@pytest.fixture
def processes() -> ModuleType:
    spec = importlib.util.spec_from_file_location("guest_processes", PLACE)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_one_that_ended_meanwhile_keeps_no_other_from_its_signal(processes: ModuleType) -> None:
    with subprocess.Popen(["sleep", "0"]) as ended, subprocess.Popen(["sleep", "600"]) as alive:
        ended.wait()
        processes.kill([ended.pid, alive.pid], signal.SIGKILL)
        assert alive.wait(30) == -signal.SIGKILL
