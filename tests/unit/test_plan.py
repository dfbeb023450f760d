"""A plan tells what an update would change, why, and what it would replace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gbg_sandbox.services.cloudformation.graph import run_in_order
from gbg_sandbox.services.cloudformation.intrinsics import AFTER_APPLY
from gbg_sandbox.services.cloudformation.lookups import AccountLookups
from gbg_sandbox.services.cloudformation.parameters import resolve
from gbg_sandbox.services.cloudformation.plan import (
    Change,
    Deployed,
    Planner,
    change_to_api,
    dependencies,
    effective,
    in_order,
)
from gbg_sandbox.services.cloudformation.schemas import ResourceSchema, schema_of
from gbg_sandbox.services.cloudformation.scope import Identity, StackScope
from gbg_sandbox.services.cloudformation.template import parse_template

NETWORK = """
Parameters:
  Cidr: {Type: String, Default: 10.0.0.0/16}
  Public: {Type: String, Default: "false"}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !Ref Cidr}}
  Subnet:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/24, MapPublicIpOnLaunch: !Ref Public}
  Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: hello}}
"""
DEPLOYED: dict[str, tuple[str, dict[str, Any]]] = {
    "Vpc": ("vpc-1", {"CidrBlock": "10.0.0.0/16"}),
    "Subnet": ("subnet-1", {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24", "MapPublicIpOnLaunch": False}),
    "Topic": ("arn:topic", {"DisplayName": "hello"}),
}


def schema(type_name: str) -> ResourceSchema:
    found = schema_of(type_name)
    assert found is not None
    return found


def plan(text: str, **given: str) -> dict[str, Change]:
    """Changes from NETWORK, deployed with its defaults, to `text`."""
    old, new = parse_template(NETWORK), parse_template(text)
    lookups = AccountLookups(lambda service: None, dict)
    entries = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
    values = resolve(new, entries, {}, lookups)
    planner = Planner(
        deployed={
            name: Deployed(old.resources[name], physical_id, properties, {})
            for name, (physical_id, properties) in DEPLOYED.items()
        },
        changed_parameters=list(given),
        schema=schema,
        volatile=lambda type_name, attribute: False,
        tags=lambda logical_id: {},
    )
    scope = StackScope(new, values, Identity("1", "us-east-1", "s", "arn"), lookups, planner)
    return {change.logical_id: change for change in planner.changes(scope)}


def test_nothing_changes_when_nothing_did() -> None:
    assert plan(NETWORK) == {}


def test_a_changed_parameter_changes_in_place() -> None:
    changes = plan(NETWORK, Public="true")
    assert list(changes) == ["Subnet"]
    (detail,) = changes["Subnet"].details
    assert (changes["Subnet"].action, changes["Subnet"].replacement) == ("Modify", "False")
    assert (detail.name, detail.recreation, detail.source, detail.cause) == (
        "MapPublicIpOnLaunch",
        "Never",
        "ParameterReference",
        "Public",
    )
    assert (detail.before, detail.after) == (False, True)


def test_a_replacement_reaches_what_refers_to_it() -> None:
    changes = plan(NETWORK, Cidr="10.1.0.0/16")
    assert changes["Vpc"].replacement == "True"
    assert changes["Vpc"].policy_action == "ReplaceAndDelete"
    assert changes["Subnet"].replacement == "Conditional"
    (detail,) = changes["Subnet"].details
    assert (detail.evaluation, detail.source, detail.cause) == ("Dynamic", "ResourceReference", "Vpc")
    assert detail.after == AFTER_APPLY


def test_additions_removals_and_direct_changes() -> None:
    text = NETWORK.replace("Topic: {", "Other: {").replace("10.0.0.0/24", "10.0.9.0/24")
    changes = plan(text)
    assert {name: change.action for name, change in changes.items()} == {
        "Subnet": "Modify",
        "Other": "Add",
        "Topic": "Remove",
    }
    assert changes["Subnet"].details[0].source == "DirectModification"
    assert changes["Topic"].policy_action == "Delete"


def test_a_changed_deletion_policy_is_a_change_of_its_own() -> None:
    changes = plan(NETWORK.replace("Topic: {Type", "Topic: {DeletionPolicy: Retain, Type"))
    assert changes["Topic"].scope == ["DeletionPolicy"]


def test_the_api_shape_has_values_only_on_request() -> None:
    change = plan(NETWORK, Public="true")["Subnet"]
    plain = change_to_api(change, values=False)["ResourceChange"]
    assert "BeforeContext" not in plain
    assert plain["Details"][0]["Target"] == {
        "Attribute": "Properties",
        "Name": "MapPublicIpOnLaunch",
        "RequiresRecreation": "Never",
    }
    full = change_to_api(change, values=True)["ResourceChange"]["Details"][0]["Target"]
    assert (full["BeforeValue"], full["AfterValue"], full["Path"]) == (
        "false",
        "true",
        "/Properties/MapPublicIpOnLaunch",
    )


def test_order_follows_every_kind_of_reference() -> None:
    template = parse_template(NETWORK + "  Last: {Type: AWS::SNS::Topic, DependsOn: [Subnet, Topic]}\n")
    order = in_order(dependencies(template, list(template.resources)))
    assert order.index("Vpc") < order.index("Subnet") < order.index("Last")
    assert order.index("Topic") < order.index("Last")


@pytest.mark.parametrize(
    ("type_name", "own", "expected"),
    [
        ("AWS::SNS::Topic", {"Tags": [{"Key": "a", "Value": "own"}]}, {"a": "own", "b": "2", "aws:x": "y"}),
        ("AWS::IAM::Role", {}, {"a": "1", "b": "2"}),
        ("AWS::EC2::Route", {}, {}),
    ],
)
def test_stack_tags_reach_what_takes_tags(
    type_name: str, own: dict[str, Any], expected: Mapping[str, str]
) -> None:
    tags = {"a": "1", "b": "2", "aws:x": "y"}
    made = effective(schema(type_name), own, tags).get("Tags", [])
    assert {tag["Key"]: tag["Value"] for tag in made} == expected


def test_work_runs_after_its_needs_and_not_after_a_failure() -> None:
    done: list[str] = []

    def work(key: str) -> bool:
        done.append(key)
        return key != "b"

    needs = {"a": set[str](), "b": {"a"}, "c": {"b"}, "d": {"a"}}
    assert run_in_order(needs, work) == ({"a", "d"}, {"b"})
    assert done[0] == "a"
    assert "c" not in done
