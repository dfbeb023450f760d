"""References, selectors and typed values of Automation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gbg_sandbox.services.ssm.automation.actions.flow import holds
from gbg_sandbox.services.ssm.automation.actions.work import StepFailed
from gbg_sandbox.services.ssm.automation.selector import NothingSelected, SelectorError, select
from gbg_sandbox.services.ssm.automation.values import WrongValue, from_strings, strings, typed
from gbg_sandbox.services.ssm.automation.variables import Scope, Unresolved, global_values, references

SCOPE = Scope(
    {"Name": "web", "Ids": ["i-1", "i-2"], "Count": 2, "On": True, "global:REGION": "us-east-1"},
    {"Wait": "PT1S"},
    {"launch.InstanceIds": ["i-3"]},
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("{{ Name }}", "web"),
        ("{{Name}}-{{ global:REGION }}", "web-us-east-1"),
        ("{{ Ids }}", ["i-1", "i-2"]),
        (["{{ launch.InstanceIds }}", "i-9"], ["i-3", "i-9"]),
        ("all of {{ Ids }}", 'all of ["i-1","i-2"]'),
        ({"{{ Name }}": {"n": "{{ Count }}"}}, {"web": {"n": 2}}),
        ("{{ On }}", True),
        ("on={{ On }}", "on=true"),
        ("{{ variable:Wait }}", "PT1S"),
        ("docker ps --format '{{.Names}}' ${x} {}", "docker ps --format '{{.Names}}' ${x} {}"),
    ],
)
def test_references_are_replaced(given: Any, expected: Any) -> None:
    assert SCOPE.resolve(given) == expected


def test_a_reference_without_value_is_told_by_name() -> None:
    with pytest.raises(Unresolved, match=r"make\.ImageId"):
        SCOPE.resolve({"Image": ["{{ make.ImageId }}"]})


def test_every_reference_of_a_nested_value_is_found() -> None:
    assert sorted(references({"a{{ x }}": ["{{ y.Z }}", {"b": "{{ ssm:/p/q }}"}]})) == [
        "ssm:/p/q",
        "x",
        "y.Z",
    ]


def test_the_time_of_an_execution_is_valid_in_an_image_name() -> None:
    values = global_values(datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC), "us-east-1", "1")
    assert values["global:DATE_TIME"] == "2026-11-03_04.05.06"


RESPONSE = {
    "Reservations": [{"Instances": [{"Id": "i-1", "State": {"Name": "running"}}]}],
    "Tags": [{"Key": "Name", "Value": "web"}, {"Key": "Env", "Value": "test"}],
}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("$.Reservations[0].Instances[0].State.Name", "running"),
        ("$['Tags'][-1]['Value']", "test"),
        ("$.Tags[*].Key", ["Name", "Env"]),
        ("$..Id", ["i-1"]),
        ("$.Tags[?(@.Key == 'Name')].Value", ["web"]),
        ("$.Tags[?(@.Key != 'Name')].Value", ["test"]),
        ("$", RESPONSE),
    ],
)
def test_selectors(selector: str, expected: Any) -> None:
    assert select(selector, RESPONSE) == expected


def test_a_selector_that_finds_nothing_is_no_empty_value() -> None:
    with pytest.raises(NothingSelected):
        select("$.Reservations[1].Instances", RESPONSE)
    with pytest.raises(SelectorError):
        select("$.Tags[?(@.Key =~ /N/)]", RESPONSE)


def test_values_from_the_api_get_their_types() -> None:
    assert from_strings("Integer", ["3"]) == 3
    assert from_strings("Boolean", ["True"]) is True
    assert from_strings("StringMap", ['{"a": 1}']) == {"a": 1}
    assert from_strings("MapList", ['{"a": 1}', '{"b": 2}']) == [{"a": 1}, {"b": 2}]
    assert typed("String", ["one"]) == "one"
    assert strings([{"a": 1}, "b"]) == ['{"a":1}', "b"]


@pytest.mark.parametrize(
    ("kind", "given"), [("Integer", ["x"]), ("Boolean", ["yes"]), ("String", ["a", "b"])]
)
def test_a_value_of_another_type_is_refused(kind: str, given: list[str]) -> None:
    with pytest.raises(WrongValue):
        from_strings(kind, given)


def test_conditions_of_a_branch() -> None:
    small = {"Variable": "3", "NumericLesser": 5}
    named = {"Variable": "linux", "StringEquals": "linux"}
    assert holds({"And": [small, named]})
    assert not holds({"Not": {"Or": [small, named]}})
    assert holds({"Variable": "Linux 2023", "StartsWith": "Linux"})
    with pytest.raises(StepFailed, match="can't compare"):
        holds({"Variable": "many", "NumericEquals": 3})
