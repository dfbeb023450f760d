"""CloudFormation's functions give what AWS documents, and refuse what AWS refuses."""

from __future__ import annotations

from typing import Any

import pytest

from gbg_sandbox.services.cloudformation.document import read_document
from gbg_sandbox.services.cloudformation.errors import TemplateError
from gbg_sandbox.services.cloudformation.intrinsics import AFTER_APPLY, NO_VALUE, Evaluator, names_in

MAPPINGS = {"Sizes": {"us-east-1": {"small": "t3.small", "zones": ["a", "b"]}}}


class Names:
    """A scope with a few names."""

    refs: dict[str, Any] = {
        "Name": "demo",
        "Port": "8080",
        "Zones": ["a", "b", "c"],
        "AWS::Region": "us-east-1",
        "AWS::NoValue": NO_VALUE,
        "Later": AFTER_APPLY,
    }

    def ref(self, name: str, path: str) -> Any:
        return self.refs[name]

    def attribute(self, logical_id: str, attribute: str, path: str) -> Any:
        return f"{logical_id}/{attribute}"

    def condition(self, name: str, path: str) -> bool:
        return name == "Here"

    def mapping(self, name: str, top: str, second: str) -> Any:
        return MAPPINGS[name][top][second]

    def imported(self, name: str) -> str:
        return f"imported {name}"

    def zones(self, region: str) -> list[str]:
        return ["us-east-1a", "us-east-1b"]

    def parameter_store(self, reference: str) -> str:
        return f"stored {reference}"


def evaluate(text: str) -> Any:
    return Evaluator(Names()).value(read_document(f"Value: {text}")["Value"], "Resources/X")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!Ref Name", "demo"),
        ("!GetAtt Group.Arn", "Group/Arn"),
        ("!GetAtt [Group, Nested.Arn]", "Group/Nested.Arn"),
        ("!Sub '${Name}-${Group.Arn}-${!Name}'", "demo-Group/Arn-${Name}"),
        ("!Sub ['${Own}:${Port}', {Own: !Ref Name}]", "demo:8080"),
        ("!Join ['-', [a, !Ref Name, 3, true]]", "a-demo-3-true"),
        ("!Join [',', !Ref Zones]", "a,b,c"),
        ("!Select [1, !GetAZs '']", "us-east-1b"),
        ("!Select ['0', !Split ['/', a/b]]", "a"),
        ("!Split [',', 'a,b,']", ["a", "b", ""]),
        ("!If [Here, red, blue]", "red"),
        ("!If [Gone, red, blue]", "blue"),
        ("!FindInMap [Sizes, !Ref AWS::Region, small]", "t3.small"),
        ("!ImportValue base-vpc", "imported base-vpc"),
        ("!Base64 hello", "aGVsbG8="),
        ("!Cidr [10.0.0.0/16, 3, 8]", ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]),
        ("!Cidr [10.0.0.0/16, 2, 6]", ["10.0.0.0/26", "10.0.0.64/26"]),
        ("'{{resolve:ssm:/gbg/ami:3}}'", "stored /gbg/ami:3"),
        ("!Sub '{{resolve:ssm:/${Name}/ami}}'", "stored /demo/ami"),
        ("{Keep: 1, Drop: !Ref AWS::NoValue}", {"Keep": 1}),
        ("[1, !If [Gone, 2, !Ref AWS::NoValue]]", [1]),
        ("{Version: 2012-10-17, Condition: {Bool: 1}}", {"Version": "2012-10-17", "Condition": {"Bool": 1}}),
    ],
)  # fmt: skip
def test_functions_give_what_aws_documents(text: str, expected: Any) -> None:
    assert evaluate(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!Join ['-', [a, !Ref Later]]", f"a-{AFTER_APPLY}"),
        ("!Select [2, !Split [',', !Ref Later]]", AFTER_APPLY),
        ("!Base64 {Ref: Later}", AFTER_APPLY),
        ("!Cidr [!Ref Later, 2, 8]", AFTER_APPLY),
    ],
)
def test_what_is_not_known_yet_stays_unknown(text: str, expected: str) -> None:
    assert evaluate(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{'Fn::Length': [1]}", "Encountered unsupported function: Fn::Length in Resources/X"),
        ("!Select [5, [a]]", "Fn::Select  cannot select nonexistent value at index 5"),
        ("!Join [a]", "every Fn::Join object requires two parameters"),
        ("!Sub [1]", "Fn::Sub intrinsic functions don't specify expected arguments"),
        ("!Sub '${Zones}'", "variable Zones in Fn::Sub expression does not resolve to a string"),
        ("!Cidr [10.0.0.0/24, 300, 1]", "has no room for 300 ranges"),
        ("!Equals [a, b]", "can only be used in Conditions"),
        ("'{{resolve:secretsmanager:x}}'", "does not run the dynamic reference"),
    ],
)
def test_misuse_is_refused_in_aws_words(text: str, said: str) -> None:
    with pytest.raises(TemplateError) as caught:
        evaluate(text)
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!Equals [!Ref Name, demo]", True),
        ("!Equals [!Ref Port, 8080]", True),
        ("!Not [!Equals [a, a]]", False),
        ("!And [!Condition Here, !Equals [a, a]]", True),
        ("!Or [!Condition Gone, !Equals [a, b]]", False),
    ],
)
def test_conditions(text: str, expected: bool) -> None:
    condition = read_document(f"Value: {text}")["Value"]
    assert Evaluator(Names()).condition(condition, "Conditions/X") is expected


def test_every_mentioned_name_is_found() -> None:
    sub = "!Sub ['${Two} ${Three.Arn} ${Own} ${!No}', {Own: !GetAtt Four.Arn}]"
    assert set(names_in(read_document(f"X: {{A: !Ref One, B: {sub}, C: !If [Five, 1, 2]}}"))) == {
        ("Ref", "One"),
        ("Ref", "Two"),
        ("GetAtt", "Three.Arn"),
        ("GetAtt", "Four.Arn"),
        ("Condition", "Five"),
    }
