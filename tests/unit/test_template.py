"""A template is read as AWS reads it, and what is wrong with it is said with its place."""

from __future__ import annotations

from typing import Any

import pytest

from gbg_sandbox.services.cloudformation.errors import TemplateError
from gbg_sandbox.services.cloudformation.parameters import check_types, resolve
from gbg_sandbox.services.cloudformation.plan import dependencies, in_order
from gbg_sandbox.services.cloudformation.resources import PROVIDERS
from gbg_sandbox.services.cloudformation.schemas import schema_of
from gbg_sandbox.services.cloudformation.scope import check_references
from gbg_sandbox.services.cloudformation.template import parse_template

TOPIC = "Resources: {Topic: {Type: AWS::SNS::Topic}}"


class Account:
    """A parameter store and the ids that exist."""

    def parameter_store(self, reference: str) -> str:
        return {"/ami": "ami-1", "/list": "a, b"}[reference]

    def exists(self, operation: str, argument: str, value: str) -> bool:
        return value == "vpc-1"


def checked(text: str) -> None:
    template = parse_template(text)
    check_types(template)
    check_references(template, lambda type_name: frozenset({"TopicArn"}))
    in_order(dependencies(template, list(template.resources)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Resources: [", "Template format error: YAML not well-formed. (line"),
        ("{\"Resources\": ", "Template format error: JSON not well-formed. (line 1"),
        ("A: 1\nA: 2", "(line 2, column 1) duplicate key A"),
        ("Resources: {T: {Type: !Frob x}}", "unknown tag !Frob"),
        ("just text", "Template format error: unsupported structure."),
        ("Description: x", "At least one Resources member must be defined."),
        (f"{TOPIC}\nResorces: {{}}", "Invalid template property or properties [Resorces]"),
        (f"{TOPIC}\nAWSTemplateFormatVersion: 2020-01-01",
         "unsupported value for AWSTemplateFormatVersion"),
        (f"{TOPIC}\nTransform: AWS::Serverless-2016-10-31",
         "does not run the template section Transform"),
        ("Resources: {T: {Properties: {}}}",
         "[/Resources/T] Every Resources object must contain a Type member."),
        ("Resources: {T: {Type: A, Propertys: {}}}", "Invalid template resource property 'Propertys'"),
        ("Resources: {T: {Type: A, DeletionPolicy: Keep}}",
         "Unrecognized DeletionPolicy Keep for resource T"),
        ("Resources: {T-1: {Type: A}}", "Resource name T-1 is non alphanumeric"),
        (f"{TOPIC}\nParameters: {{P: {{Type: Text}}}}", "Unrecognized parameter type: Text"),
        (f"{TOPIC}\nOutputs: {{O: {{Valu: 1}}}}", "Invalid template output property 'Valu'"),
        (f"{TOPIC}\nOutputs: {{O: {{Value: !Ref Nix}}}}",
         "Unresolved resource dependencies [Nix] in the Outputs block"),
        (f"{TOPIC}\nOutputs: {{O: {{Value: !GetAtt Nix.Arn}}}}",
         "Fn::GetAtt references undefined resource Nix"),
        (f"{TOPIC}\nOutputs: {{O: {{Value: !GetAtt Topic.Nix}}}}",
         "resource Topic does not support attribute type Nix"),
        (f"{TOPIC}\nOutputs: {{O: {{Value: 1, Condition: Nix}}}}", "Unresolved condition dependency Nix"),
        (f"{TOPIC}\nConditions: {{C: !Equals [!Ref Topic, 1]}}",
         "Cannot reference resources in the Conditions block"),
        ("Resources: {A: {Type: X, DependsOn: B}, B: {Type: X, Properties: {P: !Ref A}}, "
         "C: {Type: X, DependsOn: A}}",
         "Circular dependency between resources: [A, B]"),
        ("Resources: {A: {Type: X, Properties: {P: {'Fn::Foo': 1}}}}",
         "unsupported function: Fn::Foo in Resources/A/Prop"),
        ("Resources: {A: {Type: X, DependsOn: Nix}}",
         "Unresolved resource dependencies [Nix] in the Resources block"),
    ],
)  # fmt: skip
def test_a_broken_template_is_refused_in_aws_words(text: str, said: str) -> None:
    with pytest.raises(TemplateError) as caught:
        checked(text)
    assert said in caught.value.message


def test_json_and_yaml_mean_the_same() -> None:
    yaml = parse_template("Resources: {T: {Type: X, Properties: {A: !GetAtt B.C, D: 2012-10-17}}}")
    json = parse_template(
        '{"Resources": {"T": {"Type": "X", "Properties": {"A": {"Fn::GetAtt": ["B", "C"]}, '
        '"D": "2012-10-17"}}}}'
    )
    assert yaml.resources == json.resources


@pytest.mark.parametrize(
    ("role", "needed"),
    [
        ("Type: AWS::IAM::Role", ["CAPABILITY_IAM"]),
        ("Type: AWS::IAM::Role, Properties: {RoleName: x}", ["CAPABILITY_NAMED_IAM"]),
        ("Type: AWS::SNS::Topic, Properties: {TopicName: x}", []),
    ],
)
def test_capabilities_that_must_be_acknowledged(role: str, needed: list[str]) -> None:
    assert parse_template(f"Resources: {{R: {{{role}}}}}").capabilities()[0] == needed


@pytest.mark.parametrize(
    ("declaration", "value", "said"),
    [
        ("Type: String", None, "Parameters: [P] must have values"),
        ("Type: String, AllowedValues: [a, b]", "c", "Parameter 'P' must be one of AllowedValues"),
        ("Type: String, AllowedPattern: '[a-z]+'", "A1", "Parameter 'P' must match pattern [a-z]+"),
        ("Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: small letters", "A",
         "Parameter 'P' failed to satisfy constraint: small letters"),
        ("Type: String, MinLength: 3", "ab", "Parameter 'P' must contain at least 3 characters"),
        ("Type: Number", "x", "Parameter 'P' must be a number."),
        ("Type: Number, MaxValue: 5", "6", "Parameter 'P' must be a number not greater than 5"),
        ("Type: AWS::EC2::VPC::Id", "vpc-2", "parameter value vpc-2 for parameter name P does not exist"),
    ],
)  # fmt: skip
def test_an_unfit_parameter_is_refused_in_aws_words(declaration: str, value: str | None, said: str) -> None:
    template = parse_template(f"Parameters: {{P: {{{declaration}}}}}\n{TOPIC}")
    given = [] if value is None else [{"ParameterKey": "P", "ParameterValue": value}]
    with pytest.raises(TemplateError) as caught:
        resolve(template, given, {}, Account())
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("declaration", "meant"),
    [
        ("Type: Number, Default: 3", "3"),
        ("Type: CommaDelimitedList, Default: 'a, b'", ["a", "b"]),
        ("Type: List<Number>, Default: '1,2'", ["1", "2"]),
        ("Type: AWS::SSM::Parameter::Value<String>, Default: /ami", "ami-1"),
        ("Type: AWS::SSM::Parameter::Value<List<String>>, Default: /list", ["a", "b"]),
        ("Type: AWS::EC2::VPC::Id, Default: vpc-1", "vpc-1"),
    ],
)
def test_what_ref_of_a_parameter_yields(declaration: str, meant: Any) -> None:
    template = parse_template(f"Parameters: {{P: {{{declaration}}}}}\n{TOPIC}")
    check_types(template)
    assert resolve(template, [], {}, Account())["P"].meant == meant


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(TemplateError) as caught:
        resolve(parse_template(TOPIC), [{"ParameterKey": "Nix", "ParameterValue": "1"}], {}, Account())
    assert caught.value.message == "Parameters: [Nix] do not exist in the template"


def test_a_former_value_is_kept_on_request() -> None:
    template = parse_template(f"Parameters: {{P: {{Type: String, Default: a}}}}\n{TOPIC}")
    former = resolve(template, [{"ParameterKey": "P", "ParameterValue": "b"}], {}, Account())
    again = resolve(template, [{"ParameterKey": "P", "UsePreviousValue": True}], former, Account())
    assert again["P"].meant == "b"


@pytest.mark.parametrize("type_name", sorted(PROVIDERS))
def test_providers_run_what_the_registry_knows(type_name: str) -> None:
    schema, provider = schema_of(type_name), PROVIDERS[type_name]
    assert schema is not None
    assert provider.properties <= set(schema.raw["properties"])
    assert provider.attributes <= schema.attributes()
    assert not schema.tag_property or schema.tag_property in provider.properties
    assert not provider.name_property or (provider.name_property,) in schema.create_only


def test_the_registry_types_text_and_finds_strangers() -> None:
    schema = schema_of("AWS::ElasticLoadBalancingV2::TargetGroup")
    assert schema is not None
    assert schema.coerced({"Port": "8080", "HealthCheckEnabled": "true", "Name": 3}) == {
        "Port": 8080,
        "HealthCheckEnabled": True,
        "Name": "3",
    }
    assert schema.problems({"Prot": 1}) == ["Encountered unsupported property Prot"]
    assert schema.problems({"Matcher": {"Code": 1}}) == [
        "Encountered unsupported properties in {/Matcher}: [Code]"
    ]
    role = schema_of("AWS::IAM::Role")
    assert role is not None
    assert role.problems({}) == ["#: required key [AssumeRolePolicyDocument] not found"]
