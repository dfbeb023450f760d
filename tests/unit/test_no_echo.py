"""What a template calls NoEcho is known to be secret from the request on that brings it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from gbg_lib.secret.masking import MASK
from gbg_lib.secret.no_echo import declared_in, values_in
from gbg_lib.secret.values import forget, masking
from gbg_lib.stacks import Stacks
from tests.unit.aws_fakes import connected

YAML = """
Parameters:
  Word: {Type: String, NoEcho: true, Default: pl4nted-default}
  Open: {Type: String, NoEcho: "false"}
  Size: {Type: Number}
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Sub "${Word}"}}
"""
JSON = json.dumps({"Parameters": {"Word": {"Type": "String", "NoEcho": "TRUE"}}, "Resources": {}})
GIVEN = [
    {"ParameterKey": "Word", "ParameterValue": "pl4nted-word"},
    {"ParameterKey": "Open", "ParameterValue": "open-word"},
]


@pytest.fixture(autouse=True)
def unknowing() -> Iterator[None]:
    forget()
    yield
    forget()


@pytest.mark.parametrize(
    ("template", "found"), [(YAML, {"pl4nted-default", "pl4nted-word"}), (JSON, {"pl4nted-word"})]
)
def test_values_and_defaults_of_no_echo_parameters_are_found(template: str, found: set[str]) -> None:
    assert set(values_in({"TemplateBody": template, "Parameters": GIVEN})) == found


@pytest.mark.parametrize("text", ["", "NoEcho: [", "NoEcho", "- NoEcho", "Parameters: NoEcho"])
def test_a_text_that_is_no_template_has_none(text: str) -> None:
    assert declared_in(text) == {}


def test_parameters_of_other_services_are_let_be() -> None:
    assert list(values_in({"DocumentName": "x", "Parameters": {"commands": ["NoEcho"]}})) == []


class CloudFormation:
    def __init__(self) -> None:
        self.given: list[object] = []

    def create_stack(self, **given: object) -> dict[str, str]:
        self.given.append(given)
        return {"StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/words/1"}

    def describe_stacks(self, **given: object) -> dict[str, object]:
        parameters = [{"ParameterKey": "Word", "ParameterValue": "****"}]
        return {
            "Stacks": [{"StackName": "words", "StackStatus": "CREATE_COMPLETE", "Parameters": parameters}]
        }

    def create_change_set(self, **given: object) -> dict[str, str]:
        return {"Id": "arn:aws:cloudformation:us-east-1:123456789012:changeSet/words/1"}

    def describe_change_set(self, **given: object) -> dict[str, object]:
        return {"Status": "CREATE_COMPLETE", "Changes": []}


def test_the_door_knows_them_from_then_on() -> None:
    aws = connected(cloudformation=CloudFormation())
    aws.call("cloudformation", "create_stack", StackName="words", TemplateBody=YAML, Parameters=GIVEN)
    assert masking().text("it is pl4nted-word, or open-word") == f"it is {MASK}, or open-word"


def test_a_new_value_for_what_the_stack_does_not_tell_is_secret_too() -> None:
    Stacks(connected(cloudformation=CloudFormation())).plan_change("words", {"Word": "pl4nted-next"})
    assert masking().text("pl4nted-next") == MASK
