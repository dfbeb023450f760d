"""aws:executeScript: it has the role's keys, what it raises is told, what it starts ends with its step."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.services.ssm.automation.actions.script import RUNNER
from tests.sandbox.automations import Bench, steps
from tests.sandbox.places import eventually
from tests.sandbox.processes import running_with


@pytest.fixture
def bench(cloud: Cloud) -> Bench:
    return Bench(cloud)


def test_a_script_runs_with_the_roles_keys(bench: Bench) -> None:
    role = bench.role("scripted", "ssm:GetParameter")
    bench.ssm.put_parameter(Name="/team/name", Value="blue", Type="String")
    script = (
        "import boto3\n"
        "def handler(events, context):\n"
        "    found = boto3.client('ssm').get_parameter(Name=events['name'])\n"
        "    return {'value': found['Parameter']['Value'].upper()}\n"
    )
    step = {
        "name": "code",
        "action": "aws:executeScript",
        "inputs": {
            "Runtime": "python3.11",
            "Handler": "handler",
            "Script": script,
            "InputPayload": {"name": "/team/name"},
        },
        "outputs": [{"Name": "Value", "Selector": "$.Payload.value", "Type": "String"}],
    }
    bench.document(step, assumeRole=role, outputs=["code.Value"])
    assert bench.run()["Outputs"] == {"code.Value": ["BLUE"]}


def test_a_script_that_raises_shows_its_traceback(bench: Bench) -> None:
    script = "def handler(events, context):\n    raise RuntimeError('no image today')\n"
    inputs = {"Runtime": "python3.11", "Handler": "handler", "Script": script}
    bench.document({"name": "code", "action": "aws:executeScript", "inputs": inputs})
    done = bench.run()
    assert done["AutomationExecutionStatus"] == "Failed"
    assert done["FailureMessage"].startswith(
        "Step fails when it is Poll action status for completion. Traceback"
    )
    assert "no image today" in done["FailureMessage"]


def scripted(bench: Bench, script: str) -> dict[str, Any]:
    inputs = {"Runtime": "python3.11", "Handler": "handler", "Script": script}
    bench.document({"name": "code", "action": "aws:executeScript", "inputs": inputs})
    return bench.run()


def test_a_result_that_is_no_json_fails_the_step(bench: Bench) -> None:
    done = scripted(bench, "def handler(events, context):\n    return {'a': 1, 'b': {2, 3}}\n")
    assert steps(done) == {"code": "Failed"}
    assert "TypeError: Object of type set is not JSON serializable" in done["FailureMessage"]


def test_what_the_engine_did_not_expect_fails_the_step_and_the_execution(bench: Bench) -> None:
    cut = (
        "import os\n"
        "def handler(events, context):\n"
        "    with open('payload.json', 'w') as kept:\n"
        "        kept.write('{')\n"
        "    os._exit(0)\n"
    )
    done = scripted(bench, cut)
    assert steps(done) == {"code": "Failed"}
    assert done["AutomationExecutionStatus"] == "Failed"
    assert "gbg_sandbox failed: JSONDecodeError" in done["FailureMessage"]


def test_what_a_script_leaves_running_ends_with_its_step(bench: Bench) -> None:
    mark = f"left by a script of {os.getpid()}"
    script = (
        "import subprocess\n"
        "def handler(events, context):\n"
        f"    return subprocess.Popen(['sh', '-c', 'sleep 300; true', '{mark}']).pid\n"
    )
    assert steps(scripted(bench, script)) == {"code": "Success"}
    eventually(lambda: not running_with(mark))


def test_a_script_ends_with_the_sandbox(tmp_path: Path) -> None:
    (tmp_path / "customer_script.py").write_text("import time\ndef handler(*_):\n    time.sleep(300)\n")
    (tmp_path / "events.json").write_text("{}")
    sandbox = (
        "import os, subprocess, sys, time\n"
        "command = [sys.executable, '-c', sys.argv[1], sys.argv[2], 'handler', str(os.getpid())]\n"
        "subprocess.Popen(command, start_new_session=True)\n"
        "print('started', flush=True)\n"
        "time.sleep(300)\n"
    )
    argv = [sys.executable, "-c", sandbox, RUNNER, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        eventually(lambda: len(running_with(str(tmp_path))) == 2)
        process.kill()
    eventually(lambda: not running_with(str(tmp_path)))
