"""IAM's rules, one case a line: what a policy says to one action, resource and context."""

from __future__ import annotations

from typing import Any

import pytest

from gbg_sandbox.authorisation.evaluator import (
    Caller,
    Effect,
    Grant,
    Policy,
    PolicySet,
    decide,
    evaluate,
    evaluate_resource_policy,
)

BUCKET = "arn:aws:s3:::artifacts"
OBJECT = "arn:aws:s3:::artifacts/app/1.zip"
ROLE = "arn:aws:iam::123456789012:role/gbg-app"
INSTANCE = "arn:aws:ec2:us-east-1:123456789012:instance/i-1"


def allow(action: Any = "*", resource: Any = "*", **rest: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **rest}


def deny(action: Any = "*", resource: Any = "*", **rest: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **rest}


def when(operator: str, key: str, wanted: Any) -> dict[str, Any]:
    return {"Condition": {operator: {key: wanted}}}


def said(statements: list[dict[str, Any]], action: str, resource: str, **context: Any) -> bool:
    keys = {name.replace("__", ":").replace("_", "/").lower(): value for name, value in context.items()}
    policy = Policy.read({"Version": "2012-10-17", "Statement": statements})
    return evaluate([policy], action, resource, keys) is Effect.ALLOW


@pytest.mark.parametrize(
    ("statements", "action", "resource", "allowed"),
    [
        ([], "s3:GetObject", OBJECT, False),
        ([allow()], "s3:GetObject", OBJECT, True),
        ([allow("s3:GetObject")], "s3:GetObject", OBJECT, True),
        ([allow("s3:getobject")], "s3:GetObject", OBJECT, True),
        ([allow("s3:Get*")], "s3:GetObject", OBJECT, True),
        ([allow("s3:Get*")], "s3:PutObject", OBJECT, False),
        ([allow("s3:GetObjec?")], "s3:GetObject", OBJECT, True),
        ([allow("s3:GetObjec?")], "s3:GetObjec", OBJECT, False),
        ([allow(["ec2:*", "s3:GetObject"])], "s3:GetObject", OBJECT, True),
        ([allow("s3:GetObject", BUCKET)], "s3:GetObject", OBJECT, False),
        ([allow("s3:GetObject", f"{BUCKET}/*")], "s3:GetObject", OBJECT, True),
        ([allow("s3:ListBucket", f"{BUCKET}/*")], "s3:ListBucket", BUCKET, False),
        ([allow("s3:GetObject", f"{BUCKET}/App/*")], "s3:GetObject", OBJECT, False),
        ([allow("s3:GetObject", [BUCKET, f"{BUCKET}/app/?.zip"])], "s3:GetObject", OBJECT, True),
        ([allow(), deny("s3:GetObject")], "s3:GetObject", OBJECT, False),
        ([deny("s3:GetObject"), allow()], "s3:GetObject", OBJECT, False),
        ([allow(), deny("s3:GetObject", BUCKET)], "s3:GetObject", OBJECT, True),
        (
            [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
            "iam:PassRole",
            ROLE,
            False,
        ),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], "ec2:RunInstances", INSTANCE, True),
        (
            [{"Effect": "Allow", "Action": "s3:*", "NotResource": f"{BUCKET}/*"}],
            "s3:GetObject",
            OBJECT,
            False,
        ),
        (
            [{"Effect": "Allow", "Action": "s3:*", "NotResource": f"{BUCKET}/x*"}],
            "s3:GetObject",
            OBJECT,
            True,
        ),
        (
            [allow(), {"Effect": "Deny", "Action": "*", "NotResource": ROLE}],
            "iam:PassRole",
            ROLE,
            True,
        ),
        ([allow("s3:GetObject", "arn:aws:s3:::artifacts/a.p/*")], "s3:GetObject", OBJECT, False),
    ],
)
def test_actions_and_resources(
    statements: list[dict[str, Any]], action: str, resource: str, allowed: bool
) -> None:
    assert said(statements, action, resource) is allowed


@pytest.mark.parametrize(
    ("condition", "context", "allowed"),
    [
        (when("StringEquals", "iam:PassedToService", "ec2.amazonaws.com"), {}, False),
        (when("StringEquals", "iam:PassedToService", "ssm"), {"iam__PassedToService": "ssm"}, True),
        (when("StringEquals", "IAM:passedtoservice", ["a", "ssm"]), {"iam__PassedToService": "ssm"}, True),
        (when("StringEquals", "iam:PassedToService", "s*"), {"iam__PassedToService": "ssm"}, False),
        (when("StringLike", "iam:PassedToService", "s*"), {"iam__PassedToService": "ssm"}, True),
        (when("StringNotEquals", "x:y", "a"), {"x__y": "a"}, False),
        (when("StringNotEquals", "x:y", ["a", "b"]), {"x__y": "c"}, True),
        (when("StringNotEquals", "x:y", ["a", "b"]), {"x__y": "b"}, False),
        (when("StringNotEquals", "x:y", "a"), {}, True),
        (when("StringEqualsIfExists", "x:y", "a"), {}, True),
        (when("StringEqualsIfExists", "x:y", "a"), {"x__y": "b"}, False),
        (when("StringEqualsIgnoreCase", "x:y", "AbC"), {"x__y": "aBc"}, True),
        (
            when("ArnLike", "aws:SourceArn", "arn:aws:ssm:*:1:x/*"),
            {"aws__SourceArn": "arn:aws:ssm:r:1:x/y"},
            True,
        ),
        (when("ArnLike", "aws:SourceArn", "*"), {"aws__SourceArn": "arn:aws:ssm:r:1:x/y"}, True),
        (when("ArnEquals", "aws:SourceArn", "arn:aws:s*:x"), {"aws__SourceArn": "arn:aws:ssm:r:1:x"}, False),
        (
            when("ArnNotLike", "aws:SourceArn", "arn:aws:sns:r:1:t"),
            {"aws__SourceArn": "arn:aws:sns:r:1:u"},
            True,
        ),
        (when("Bool", "aws:SecureTransport", "false"), {"aws__SecureTransport": "true"}, False),
        (when("Bool", "aws:SecureTransport", True), {"aws__SecureTransport": "true"}, True),
        (when("Null", "x:y", "true"), {}, True),
        (when("Null", "x:y", "true"), {"x__y": "a"}, False),
        (when("Null", "x:y", False), {"x__y": "a"}, True),
        (when("NumericLessThanEquals", "s3:max-keys", "10"), {"s3__max-keys": "10"}, True),
        (when("NumericGreaterThan", "s3:max-keys", 10), {"s3__max-keys": "9"}, False),
        (when("NumericEquals", "s3:max-keys", "10"), {"s3__max-keys": "ten"}, False),
        (when("DateLessThan", "x:t", "2030-01-01T00:00:00Z"), {"x__t": "2026-11-01T00:00:00Z"}, True),
        (when("DateGreaterThan", "x:t", "1893456000"), {"x__t": "2026-11-01T00:00:00Z"}, False),
        (when("IpAddress", "aws:SourceIp", "10.0.0.0/16"), {"aws__SourceIp": "10.0.3.4"}, True),
        (when("NotIpAddress", "aws:SourceIp", "10.0.0.0/16"), {"aws__SourceIp": "10.0.3.4"}, False),
        (when("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"]), {"aws__TagKeys": ["a"]}, True),
        (when("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"]), {"aws__TagKeys": ["a", "c"]}, False),
        (when("ForAllValues:StringEquals", "aws:TagKeys", ["a"]), {}, True),
        (when("ForAnyValue:StringEquals", "aws:TagKeys", ["a"]), {"aws__TagKeys": ["b", "a"]}, True),
        (when("ForAnyValue:StringEquals", "aws:TagKeys", ["a"]), {}, False),
        (when("StringEquals", "x:y", "${aws:username}"), {"x__y": "ann", "aws__username": "ann"}, True),
        (when("StringEquals", "x:y", "${aws:username}"), {"x__y": "ann"}, False),
        (when("StringEquals", "x:y", "${aws:username, 'ann'}"), {"x__y": "ann"}, True),
        (when("StringLike", "x:y", "${*}"), {"x__y": "ann"}, False),
        (when("StringLike", "x:y", "a${*}"), {"x__y": "a*"}, True),
    ],
)
def test_conditions(condition: dict[str, Any], context: dict[str, Any], allowed: bool) -> None:
    assert said([allow(**condition)], "any:Thing", "*", **context) is allowed


def test_all_conditions_of_a_statement_must_hold() -> None:
    block = {"Condition": {"StringEquals": {"x:a": "1", "x:b": "2"}}}
    assert said([allow(**block)], "any:Thing", "*", x__a="1", x__b="2")
    assert not said([allow(**block)], "any:Thing", "*", x__a="1", x__b="3")


def test_a_policy_variable_in_a_resource_is_filled_in_and_its_value_is_no_pattern() -> None:
    statement = allow("s3:GetObject", f"{BUCKET}/${{aws:PrincipalTag/team}}/*")
    assert said([statement], "s3:GetObject", OBJECT, **{"aws__principaltag_team": "app"})
    assert not said([statement], "s3:GetObject", OBJECT, **{"aws__principaltag_team": "*"})
    assert not said([statement], "s3:GetObject", OBJECT)


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(ValueError, match="StringSounds"):
        Policy.read({"Statement": allow(**when("StringSounds", "x:y", "a"))})


def test_an_effect_that_is_neither_allow_nor_deny_is_refused() -> None:
    with pytest.raises(ValueError, match="Effect"):
        Policy.read({"Statement": {"Effect": "Maybe", "Action": "*", "Resource": "*"}})


def policies(
    identity: list[dict[str, Any]],
    boundary: list[dict[str, Any]] | None = None,
    session: list[dict[str, Any]] | None = None,
) -> PolicySet:
    def read(statements: list[dict[str, Any]] | None) -> tuple[Policy, ...] | None:
        return None if statements is None else (Policy.read({"Statement": statements}),)

    return PolicySet(read(identity) or (), read(boundary), read(session))


@pytest.mark.parametrize(
    ("bound", "effect", "kind"),
    [
        (policies([allow()]), Effect.ALLOW, "identity-based policy"),
        (policies([]), Effect.IMPLICIT_DENY, "identity-based policy"),
        (policies([allow()], boundary=[]), Effect.IMPLICIT_DENY, "permissions boundary"),
        (policies([allow()], boundary=[allow("s3:*")]), Effect.ALLOW, "identity-based policy"),
        (policies([], boundary=[allow()]), Effect.IMPLICIT_DENY, "identity-based policy"),
        (policies([allow()], session=[allow("ec2:*")]), Effect.IMPLICIT_DENY, "session policy"),
        (policies([allow()], session=[allow(), deny("s3:Get*")]), Effect.EXPLICIT_DENY, "session policy"),
        (
            policies([allow(), deny("s3:Get*")], session=[allow()]),
            Effect.EXPLICIT_DENY,
            "identity-based policy",
        ),
        (policies([allow()], [allow()], [allow("s3:GetObject")]), Effect.ALLOW, "identity-based policy"),
    ],
)
def test_boundaries_and_session_policies_only_limit(bound: PolicySet, effect: Effect, kind: str) -> None:
    decision = decide(bound, "s3:GetObject", OBJECT, {})
    assert (decision.effect, decision.policy_kind) == (effect, kind)


ACCOUNT = "123456789012"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/gbg-app/i-1"
APP = Caller(frozenset({SESSION, ROLE}), ACCOUNT)


@pytest.mark.parametrize(
    ("principal", "who", "grant"),
    [
        ("*", APP, Grant.DIRECT),
        ({"AWS": "*"}, APP, Grant.DIRECT),
        ({"AWS": ROLE}, APP, Grant.DIRECT),
        ({"AWS": [SESSION]}, APP, Grant.DIRECT),
        ({"AWS": ACCOUNT}, APP, Grant.ACCOUNT),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, APP, Grant.ACCOUNT),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"}, APP, None),
        ({"Service": "ec2.amazonaws.com"}, APP, None),
        (
            {"Service": ["ssm.amazonaws.com", "ec2.amazonaws.com"]},
            Caller(service="ec2.amazonaws.com"),
            Grant.DIRECT,
        ),
        ({"Service": "ssm.amazonaws.com"}, Caller(service="ec2.amazonaws.com"), None),
    ],
)
def test_principals(principal: Any, who: Caller, grant: Grant | None) -> None:
    policy = Policy.read({"Statement": {"Effect": "Allow", "Action": "s3:*", "Principal": principal}})
    effect, granted = evaluate_resource_policy(policy, who, "s3:GetObject", OBJECT, {})
    assert granted is grant
    assert (effect is Effect.ALLOW) is (grant is not None)


def test_a_resource_policy_that_names_the_caller_is_enough_and_its_deny_wins() -> None:
    nothing, everything = policies([]), policies([allow()])
    granted = decide(nothing, "s3:GetObject", OBJECT, {}, Effect.ALLOW, Grant.DIRECT)
    by_account = decide(nothing, "s3:GetObject", OBJECT, {}, Effect.ALLOW, Grant.ACCOUNT)
    denied = decide(everything, "s3:GetObject", OBJECT, {}, Effect.EXPLICIT_DENY, Grant.DIRECT)
    assert granted.allowed
    assert by_account.effect is Effect.IMPLICIT_DENY
    assert (denied.effect, denied.policy_kind) == (Effect.EXPLICIT_DENY, "resource-based policy")
