"""What a document must be refused for when it is created, and with which place."""

from __future__ import annotations

from typing import Any

import pytest

from gbg_sandbox.services.ssm.automation.checks import check_document
from gbg_sandbox.services.ssm.automation.document import AutomationDocument, InvalidDocument, read_document


def document(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"schemaVersion": "0.3", "mainSteps": list(steps), **more}


def sleep(name: str = "rest", **more: Any) -> dict[str, Any]:
    return {"name": name, "action": "aws:sleep", "inputs": {"Duration": "PT1S"}, **more}


def accept(content: Any) -> AutomationDocument:
    read = read_document(content)
    check_document(read)
    return read


def test_a_good_document_is_read_with_its_defaults() -> None:
    read = accept(document(sleep(), sleep("again", onFailure="step:rest", isCritical=True)))
    assert read.step("rest").on_failure == "Abort"
    assert read.step("rest").is_critical is None
    assert read.step("again").failure_target == "rest"
    assert read.following(read.step("rest")) == "again"
    assert read.following(read.step("again")) == ""


BAD: dict[str, tuple[Any, str]] = {
    "another schema": ({"schemaVersion": "0.2", "mainSteps": [sleep()]}, "schemaVersion"),
    "no steps": (document(), "mainSteps"),
    "unknown top key": (document(sleep(), paramters={}), "paramters"),
    "unknown action": (document({**sleep(), "action": "aws:doze"}), "step rest: unknown action aws:doze"),
    "action AWS has": (document({**sleep(), "action": "aws:createStack"}), "does not run aws:createStack"),
    "unknown step property": (document(sleep(onfailure="Abort")), "step rest: unknown property onfailure"),
    "no inputs": (document({"name": "rest", "action": "aws:sleep"}), "step rest: inputs is missing"),
    "missing input": (document({**sleep(), "inputs": {}}), "either Duration or Timestamp"),
    "unknown input": (
        document({**sleep(), "inputs": {"Duration": "PT1S", "Hours": 1}}),
        "has no input Hours",
    ),
    "needed input": (
        document({"name": "x", "action": "aws:createImage", "inputs": {"ImageName": "a"}}),
        "step x.inputs: aws:createImage needs InstanceId",
    ),
    "same name twice": (document(sleep(), sleep()), "step rest: the name is used 2 times"),
    "jump to nowhere": (
        document(sleep(onFailure="step:clean")),
        "step rest.onFailure: there is no step clean",
    ),
    "onFailure word": (document(sleep(onFailure="Ignore")), "step rest.onFailure: 'Ignore'"),
    "next nowhere": (document(sleep(nextStep="clean")), "step rest.nextStep"),
    "onCancel not there": (document(sleep(onCancel="step:b"), sleep("b")), "does not support onCancel"),
    "ssm in a step": (
        document({**sleep(), "inputs": {"Duration": "{{ ssm:/a/b }}"}}),
        "in the default of a parameter only",
    ),
    "unknown reference": (
        document({**sleep(), "inputs": {"Duration": "{{ Lenght }}"}}),
        "{{ Lenght }} is neither",
    ),
    "undeclared output": (
        document(
            {
                "name": "call",
                "action": "aws:executeAwsApi",
                "inputs": {"Service": "ec2", "Api": "DescribeVpcs"},
            },
            {**sleep(), "inputs": {"Duration": "{{ call.VpcId }}"}},
        ),
        "step call has no output VpcId",
    ),
    "output of the document": (document(sleep(), outputs=["make.ImageId"]), "outputs: {{ make.ImageId }}"),
    "type of a parameter": (
        document(sleep(), parameters={"Size": {"type": "Number"}}),
        "parameters.Size.type: unknown type 'Number'",
    ),
    "default of another type": (
        document(sleep(), parameters={"Size": {"type": "Integer", "default": "big"}}),
        "parameters.Size.default",
    ),
    "default that refers": (
        document(sleep(), parameters={"A": {"type": "String", "default": "{{ B }}"}}),
        "parameters.A.default: a default can't refer",
    ),
    "selector": (
        document(
            {
                "name": "call",
                "action": "aws:executeAwsApi",
                "inputs": {"Service": "ec2", "Api": "DescribeVpcs"},
                "outputs": [{"Name": "Id", "Selector": "Vpcs[0]", "Type": "String"}],
            }
        ),
        "step call.outputs[0].Selector",
    ),
    "branch operation": (
        document(
            {
                "name": "choose",
                "action": "aws:branch",
                "inputs": {"Choices": [{"NextStep": "rest", "Variable": "a", "StringLike": "b"}]},
            },
            sleep(),
        ),
        "unknown operation StringLike",
    ),
    "branch to nowhere": (
        document(
            {
                "name": "choose",
                "action": "aws:branch",
                "inputs": {"Choices": [{"NextStep": "sleep", "Variable": "a", "StringEquals": "b"}]},
            },
            sleep(),
        ),
        "Choices[0].NextStep: there is no step sleep",
    ),
    "script in another language": (
        document(
            {
                "name": "s",
                "action": "aws:executeScript",
                "inputs": {"Runtime": "PowerShell 7.0", "Script": "1"},
            }
        ),
        "does not run PowerShell 7.0",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_refused_with_its_place(name: str) -> None:
    content, told = BAD[name]
    with pytest.raises(InvalidDocument) as refusal:
        accept(content)
    assert told in str(refusal.value)


def test_an_ssm_parameter_as_default_is_fine() -> None:
    parameters = {"Source": {"type": "String", "default": "{{ ssm:/gbg/source-ami }}"}}
    assert accept(document(sleep(), parameters=parameters)).parameters["Source"].default
