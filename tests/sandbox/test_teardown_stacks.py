"""A teardown of stacks that CloudFormation could not bring to a good end: in each state that it leaves.

Their resource is one that a function makes; the function fails what the test asks it to fail, and goes on to.
"""

from __future__ import annotations

import json

import pytest

from gbg_lib.parameters import Parameters
from gbg_lib.teardown import Teardown
from gbg_sandbox.cloud import Cloud
from tests.sandbox.doors import door
from tests.sandbox.stack_steps import Steps
from tests.sandbox.test_cloudformation_custom import CODE, IAM, TEMPLATE

NAME = "shop"
BASE = f"{NAME}-base"
OWN = {"Tags": [{"Key": "gbg:deployment", "Value": NAME}], **IAM}
STUCK = CODE.replace('wanted.get("Fail") == event["RequestType"]', 'event["RequestType"] in wanted["Fail"]')


def template(fail: str) -> str:
    """`fail`: the requests that the function fails, as one word."""
    made = json.loads(json.dumps(TEMPLATE))
    made["Resources"]["Function"]["Properties"]["Code"]["ZipFile"] = STUCK
    made["Resources"]["Thing"]["Properties"]["Fail"] = fail
    made["Resources"]["Lines"] = {
        "Type": "AWS::Logs::LogGroup",
        "Properties": {"LogGroupName": f"/{NAME}/lines"},
    }
    return json.dumps(made)


@pytest.fixture
def stacks(cloud: Cloud) -> Steps:
    return Steps(cloud)


def left_in(stacks: Steps, status: str) -> None:
    """Bring the first stack into this state. Fails where CloudFormation takes it elsewhere."""
    keep = {"DisableRollback": True} if status in ("CREATE_FAILED", "UPDATE_FAILED") else {}
    if status in ("ROLLBACK_FAILED", "CREATE_FAILED", "ROLLBACK_COMPLETE"):
        fails = "Create" if status == "ROLLBACK_COMPLETE" else "CreateDelete"
        stacks.create(BASE, template(fails), **OWN, **keep)
    else:
        stacks.create(BASE, template("UpdateDelete"), **OWN)
        if status == "DELETE_FAILED":
            stacks.delete(BASE)
        else:
            stacks.update(BASE, template("DeleteUpdate"), **OWN, **keep)
    assert stacks.stack(BASE)["StackStatus"] == status, stacks.events(BASE)


@pytest.mark.parametrize(
    "status",
    [
        "CREATE_FAILED",
        "ROLLBACK_COMPLETE",
        "ROLLBACK_FAILED",
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_FAILED",
        "DELETE_FAILED",
    ],
)
def test_it_goes_with_all_that_holds_it(cloud: Cloud, stacks: Steps, status: str) -> None:
    left_in(stacks, status)
    step = Teardown(Parameters(deployment=NAME, confirm=NAME), door(cloud), rest_seconds=60)
    assert f"it is in {status}" in next(one.how for one in step.plan().removals if one.what == "stack")
    told = [one.status for one in step.apply(step.plan()) if one.part == f"stack {BASE}"]
    assert told[-1] == "DELETE_COMPLETE"
    assert step.check()
    assert cloud.client("logs").describe_log_groups(logGroupNamePrefix=f"/{NAME}/")["logGroups"] == []
