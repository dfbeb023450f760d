"""Faults of the pipeline's golden AMI function."""

from __future__ import annotations

import io
import json
import zipfile

from gbg_lib import blueprint
from gbg_lib.faults.fault import Fault, Former
from gbg_lib.steps import ReleaseRun
from gbg_lib.waiting import wait_until

HANGING = (
    "import time\n\n\ndef handler(event, context):\n    print('Waiting for an answer')\n    time.sleep(900)\n"
)
SHORT_SECONDS = 2
UPDATE_SECONDS = 120


def settings(step: ReleaseRun) -> dict[str, str]:
    found = step.aws.call("lambda", "get_function_configuration", FunctionName=name(step))
    variables = found.get("Environment", {}).get("Variables", {})
    return {"timeout": str(found["Timeout"]), "variables": json.dumps(variables)}


def name(step: ReleaseRun) -> str:
    return step.stacks.outputs(step.pipeline_stack)["BakeFunctionName"]


def lose_variable(step: ReleaseRun, former: Former) -> None:
    kept = {key: value for key, value in json.loads(former["variables"]).items() if key != "BAKE_DOCUMENT"}
    _configure(step, variables=kept, timeout=int(former["timeout"]))


def hang(step: ReleaseRun, former: Former) -> None:
    _put_code(step, HANGING)
    _configure(step, variables=json.loads(former["variables"]), timeout=SHORT_SECONDS)


def restore(step: ReleaseRun, former: Former) -> None:
    """The blueprint's code, and the settings that were there."""
    _put_code(step, _blueprint_code())
    _configure(step, variables=json.loads(former["variables"]), timeout=int(former["timeout"]))


def _blueprint_code() -> str:
    function = json.loads(blueprint.template(3))["Resources"]["BakeFunction"]["Properties"]
    return str(function["Code"]["ZipFile"])


def _put_code(step: ReleaseRun, source: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", source)
    step.aws.call("lambda", "update_function_code", FunctionName=name(step), ZipFile=packed.getvalue())
    _settle(step)


def _configure(step: ReleaseRun, *, variables: dict[str, str], timeout: int) -> None:
    step.aws.call(
        "lambda",
        "update_function_configuration",
        FunctionName=name(step),
        Timeout=timeout,
        Environment={"Variables": variables},
    )
    _settle(step)


def _settle(step: ReleaseRun) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html: one update at a time."""

    def look() -> bool | None:
        found = step.aws.call("lambda", "get_function_configuration", FunctionName=name(step))
        return True if found.get("LastUpdateStatus", "Successful") == "Successful" else None

    wait_until(
        step.aws,
        look,
        limit_seconds=UPDATE_SECONDS,
        what="the function's update",
        try_this="look at the function",
    )


FAULTS = (
    Fault(
        "function-raises",
        "The golden AMI function lost a variable of its environment and raises.",
        look=settings,
        plant=lose_variable,
        remove=restore,
    ),
    Fault(
        "function-times-out",
        "The golden AMI function hangs until Lambda ends it, and never answers the pipeline.",
        look=settings,
        plant=hang,
        remove=restore,
    ),
)
