"""What a stopped run tells of a bake is what Systems Manager knows of it, and its commands are about it."""

from __future__ import annotations

import shlex
from itertools import pairwise

from gbg_lib.runner.in_flight import in_flight
from gbg_sandbox.cloud import Cloud
from tests.sandbox.automations import Bench, sleep
from tests.sandbox.doors import door
from tests.sandbox.places import eventually

LONG = {"Duration": "PT100H"}


def test_a_bake_that_goes_on_is_told_until_its_own_command_has_stopped_it(cloud: Cloud) -> None:
    bench, aws = Bench(cloud), door(cloud)
    bench.document(sleep(inputs=LONG), name="gbg-bake")
    bench.document(sleep(inputs=LONG), name="gbg-bake-of-others")
    others = bench.begin("gbg-bake-of-others")
    bake = bench.begin("gbg-bake")
    eventually(lambda: bench.look(bake)["AutomationExecutionStatus"] == "InProgress")
    [one] = in_flight(aws, "gbg")
    assert one.what == f"bake {bake}: InProgress"

    for command in (one.follow, one.stop):
        program, service, operation, *options = shlex.split(command)
        assert (program, service) == ("aws", "ssm")
        names = {"--automation-execution-id": "AutomationExecutionId", "--type": "Type"}
        asked = {names[option]: value for option, value in list(pairwise(options))[::2]}
        aws.call("ssm", operation.replace("-", "_"), **asked)
    assert bench.end(bake)["AutomationExecutionStatus"] == "Cancelled"
    assert list(in_flight(aws, "gbg")) == []
    aws.call("ssm", "stop_automation_execution", AutomationExecutionId=others, Type="Cancel")
    bench.end(others)
