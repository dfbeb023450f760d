"""Every call of a user or role is checked, and refused in AWS's words."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.authorisation import authorise_service, check_trust
from gbg_sandbox.cloud import Cloud
from gbg_sandbox.service import AwsError, Principal
from tests.sandbox.places import make_place

ACCOUNT = "123456789012"
STATEMENT = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
TRUST = {"Version": "2012-10-17", "Statement": STATEMENT}


def statement(action: Any, resource: Any = "*", **rest: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **rest}


class Role:
    """A role that a test gives rights to, and clients that act under it."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self.cloud, self.name = cloud, name
        self.iam = cloud.client("iam")
        self.arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"][
            "Arn"
        ]

    def may(self, *statements: dict[str, Any]) -> None:
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        self.iam.put_role_policy(RoleName=self.name, PolicyName="rights", PolicyDocument=document)

    def client(self, service: str) -> Any:
        return self.cloud.client(service, role=self.arn, acting="lambda.amazonaws.com", session="test")


@pytest.fixture
def role(cloud: Cloud) -> Role:
    return Role(cloud, "worker")


def refusal(call: Callable[[], Any]) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    return response["Error"]["Code"], response["Error"]["Message"], status


def test_a_role_without_rights_is_refused_in_each_protocol(role: Role, cloud: Cloud) -> None:
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/test"
    cloud.client("s3").create_bucket(Bucket="artifacts")
    code, message, status = refusal(lambda: role.client("sns").create_topic(Name="t"))
    assert (code, status) == ("AuthorizationError", 403)
    assert message == (
        f"User: {session} is not authorized to perform: sns:CreateTopic on resource: "
        f"arn:aws:sns:us-east-1:{ACCOUNT}:t because "
        "no identity-based policy allows the sns:CreateTopic action"
    )
    code, message, status = refusal(lambda: role.client("s3").get_object(Bucket="artifacts", Key="a"))
    assert (code, status) == ("AccessDenied", 403)
    assert '"arn:aws:s3:::artifacts/a"' in message
    code, message, status = refusal(lambda: role.client("iam").get_role(RoleName="worker"))
    assert (code, status) == ("AccessDenied", 403)
    assert f"on resource: arn:aws:iam::{ACCOUNT}:role/worker because" in message
    code, message, status = refusal(lambda: role.client("logs").create_log_group(logGroupName="/app"))
    assert (code, status) == ("AccessDeniedException", 400)
    assert "log-group:/app:log-stream: because" in message


def test_a_change_of_policy_is_seen_at_once(role: Role) -> None:
    role.may(statement("events:ListRules"))
    assert "Rules" in role.client("events").list_rules()
    role.may(statement("events:PutRule"))
    assert refusal(lambda: role.client("events").list_rules())[0] == "AccessDeniedException"


def test_an_attached_aws_managed_policy_counts(role: Role) -> None:
    role.iam.attach_role_policy(
        RoleName="worker", PolicyArn="arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy"
    )
    logs = role.client("logs")
    logs.create_log_group(logGroupName="/app")
    assert refusal(lambda: logs.delete_log_group(logGroupName="/app"))[0] == "AccessDeniedException"


def test_s3_rights_are_told_apart_by_object_version_and_list(role: Role, cloud: Cloud) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="artifacts")
    s3.put_bucket_versioning(Bucket="artifacts", VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket="artifacts", Key="app/1", Body=b"one")["VersionId"]
    role.may(statement("s3:GetObject", "arn:aws:s3:::artifacts/app/*"))
    mine = role.client("s3")
    assert mine.get_object(Bucket="artifacts", Key="app/1")["Body"].read() == b"one"
    assert mine.head_object(Bucket="artifacts", Key="app/1")["ContentLength"] == 3
    versioned = refusal(lambda: mine.get_object(Bucket="artifacts", Key="app/1", VersionId=version))
    assert "s3:GetObjectVersion" in versioned[1]
    assert "s3:ListBucket" in refusal(lambda: mine.list_objects_v2(Bucket="artifacts"))[1]
    assert "s3:GetObject" in refusal(lambda: mine.get_object(Bucket="artifacts", Key="other/1"))[1]


def test_a_bucket_policy_can_deny_and_grant(role: Role, cloud: Cloud) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="artifacts")
    s3.put_object(Bucket="artifacts", Key="a", Body=b"a")
    s3.put_object(Bucket="artifacts", Key="secret", Body=b"b")
    resource = {"Resource": "arn:aws:s3:::artifacts/*", "Action": "s3:GetObject"}
    grant = {"Effect": "Allow", "Principal": {"AWS": role.arn}, **resource}
    forbid = {"Effect": "Deny", "Principal": "*", **resource, "Resource": "arn:aws:s3:::artifacts/secret"}
    s3.put_bucket_policy(Bucket="artifacts", Policy=json.dumps({"Statement": [grant, forbid]}))
    mine = role.client("s3")
    assert mine.get_object(Bucket="artifacts", Key="a")["Body"].read() == b"a"
    role.may(statement("s3:*"))
    assert (
        "explicit deny in a resource-based policy"
        in refusal(lambda: mine.get_object(Bucket="artifacts", Key="secret"))[1]
    )


OPEN = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::artifacts/*"}


@pytest.mark.parametrize(
    "wrong",
    [
        {**OPEN, "Effect": "Perhaps"},
        {**OPEN, "Condition": {"StringEqual": {"aws:PrincipalArn": "x"}}},
        {**OPEN, "NotAction": "s3:*"},
        {key: value for key, value in OPEN.items() if key != "Principal"},
        "no statement",
    ],
)
def test_a_policy_that_can_not_be_is_refused_where_it_is_put(cloud: Cloud, wrong: Any) -> None:
    s3, sns = cloud.client("s3"), cloud.client("sns")
    s3.create_bucket(Bucket="artifacts")
    document = json.dumps({"Statement": [wrong]})
    asked = refusal(lambda: s3.put_bucket_policy(Bucket="artifacts", Policy=document))
    assert (asked[0], asked[2]) == ("MalformedPolicy", 400)
    topic = sns.create_topic(Name="releases")["TopicArn"]
    attribute = {"AttributeName": "Policy", "AttributeValue": document}
    assert refusal(lambda: sns.set_topic_attributes(TopicArn=topic, **attribute))[0] == "InvalidParameter"
    made = refusal(lambda: sns.create_topic(Name="other", Attributes={"Policy": document}))
    assert made[0] == "InvalidParameter"


def test_passing_a_role_needs_the_right_for_that_service(role: Role) -> None:
    role.may(
        statement("events:*"),
        statement(
            "iam:PassRole", role.arn, Condition={"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}}
        ),
    )
    events = role.client("events")
    events.put_rule(Name="push", EventPattern=json.dumps({"source": ["x"]}))
    target = {"Id": "1", "Arn": f"arn:aws:codepipeline:us-east-1:{ACCOUNT}:p", "RoleArn": role.arn}
    assert "iam:PassRole" in refusal(lambda: events.put_targets(Rule="push", Targets=[target]))[1]


def test_a_denial_is_an_event(role: Role, cloud: Cloud) -> None:
    refusal(lambda: role.client("events").list_rules())
    denials = [event for event in cloud.events.since(0) if event.detail_type == "IAM Denial"]
    assert denials[-1].detail["action"] == "events:ListRules"


def test_trust_names_the_service_and_its_conditions(cloud: Cloud, role: Role) -> None:
    check_trust(cloud, role.arn, "lambda.amazonaws.com")
    with pytest.raises(AwsError, match="sts:AssumeRole"):
        check_trust(cloud, role.arn, "ec2.amazonaws.com")
    condition = {"ArnLike": {"aws:SourceArn": f"arn:aws:lambda:*:{ACCOUNT}:function:bake"}}
    document = {**TRUST, "Statement": {**STATEMENT, "Condition": condition}}
    role.iam.update_assume_role_policy(RoleName="worker", PolicyDocument=json.dumps(document))
    check_trust(
        cloud, role.arn, "lambda.amazonaws.com", {"aws:SourceArn": cloud.arn("lambda", "function:bake")}
    )
    with pytest.raises(AwsError, match="not authorized"):
        check_trust(cloud, role.arn, "lambda.amazonaws.com")


def test_a_topic_lets_a_service_in_only_by_its_policy(cloud: Cloud) -> None:
    sns = cloud.client("sns")
    topic = sns.create_topic(Name="releases")["TopicArn"]
    policy = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    sns.set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps({"Statement": [policy]})
    )
    authorise_service(cloud, "events.amazonaws.com", "sns:Publish", topic)
    with pytest.raises(AwsError) as caught:
        authorise_service(cloud, "codedeploy.amazonaws.com", "sns:Publish", topic)
    assert caught.value.code == "AuthorizationError"


def launch(role: Role, tags: dict[str, str]) -> Any:
    place = make_place(role.cloud)
    specification = {
        "ResourceType": "instance",
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }
    request = {"ImageId": place.image_id, "InstanceType": "t3.micro", "SubnetId": place.subnets[0]}
    more = {"TagSpecifications": [specification]} if tags else {}
    return role.client("ec2").run_instances(MinCount=1, MaxCount=1, **request, **more)


def when(key: str, value: str) -> dict[str, Any]:
    return {"Condition": {"StringEquals": {key: value}}}


def test_a_builder_may_only_launch_and_end_what_carries_its_tag(role: Role, cloud: Cloud) -> None:
    parts = [
        f"arn:aws:ec2:*:*:{kind}/*" for kind in ("network-interface", "volume", "subnet", "security-group")
    ]
    role.may(
        statement("ec2:RunInstances", [*parts, "arn:aws:ec2:*::image/*"]),
        statement(
            "ec2:RunInstances", "arn:aws:ec2:*:*:instance/*", **when("aws:RequestTag/gbg:deployment", "gbg")
        ),
        statement("ec2:CreateTags", "*", **when("ec2:CreateAction", "RunInstances")),
        statement("ec2:TerminateInstances", "*", **when("aws:ResourceTag/gbg:deployment", "gbg")),
    )
    assert ":instance/* because" in refusal(lambda: launch(role, {}))[1]
    assert ":instance/* because" in refusal(lambda: launch(role, {"gbg:deployment": "other"}))[1]
    mine = launch(role, {"gbg:deployment": "gbg"})["Instances"][0]["InstanceId"]
    (foreign,) = make_place(cloud).launch()
    ec2 = role.client("ec2")
    assert refusal(lambda: ec2.terminate_instances(InstanceIds=[foreign]))[0] == "UnauthorizedOperation"
    assert ec2.terminate_instances(InstanceIds=[mine])["TerminatingInstances"]
    assert (
        "ec2:CreateTags"
        in refusal(
            lambda: ec2.create_tags(Resources=[foreign], Tags=[{"Key": "gbg:deployment", "Value": "gbg"}])
        )[1]
    )


def test_what_iam_says_no_with_reaches_the_caller(cloud: Cloud) -> None:
    iam: Any = cloud.client("iam")
    iam.create_user(UserName="ann")
    assert refusal(lambda: iam.create_user(UserName="ann"))[0] == "EntityAlreadyExists"
    assert refusal(lambda: iam.create_access_key(UserName="bob"))[0] == "NoSuchEntity"
    assert refusal(lambda: iam.create_user(UserName="ann"))[2] == 409


def test_a_person_assumes_a_role_that_trusts_the_account_only_with_the_right_to(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    owner = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": owner})
    arn = iam.create_role(RoleName="admin", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.create_user(UserName="ann")
    ann = Principal("user", f"arn:aws:iam::{ACCOUNT}:user/ann", ACCOUNT, user_name="ann")
    with pytest.raises(AwsError, match="sts:AssumeRole on resource"):
        check_trust(cloud, arn, ann)
    rights = json.dumps({"Version": "2012-10-17", "Statement": statement("sts:AssumeRole", arn)})
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=rights)
    check_trust(cloud, arn, ann)


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def assumable(cloud: Cloud) -> tuple[str, Any]:
    """A role that may do everything and trusts its account, and the STS to assume it by."""
    iam = cloud.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    arn: str = iam.create_role(RoleName="wide", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="wide", PolicyName="all", PolicyDocument=policy(statement("*")))
    return arn, cloud.client("sts")


def session(cloud: Cloud, sts: Any, arn: str, **narrowed: Any) -> Callable[[Any], Any]:
    """Clients by service name, with keys that AssumeRole gave."""
    keys = sts.assume_role(RoleArn=arn, RoleSessionName="ann", **narrowed)["Credentials"]
    return lambda service: boto3.client(
        service,
        region_name=cloud.region,
        endpoint_url=cloud.endpoint_url,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


def test_a_session_policy_limits_what_other_roles_can_be_assumed(
    cloud: Cloud, assumable: tuple[str, Any]
) -> None:
    arn, sts = assumable
    narrow = session(cloud, sts, arn, Policy=policy(statement("s3:GetObject")))
    code, message, _ = refusal(lambda: narrow("sts").assume_role(RoleArn=arn, RoleSessionName="out"))
    assert (code, "sts:AssumeRole" in message) == ("AccessDenied", True)
    wide = session(cloud, sts, arn)
    assert wide("sts").assume_role(RoleArn=arn, RoleSessionName="on")["Credentials"]


def test_a_boundary_limits_what_other_roles_can_be_assumed(cloud: Cloud, assumable: tuple[str, Any]) -> None:
    arn, _ = assumable
    iam = cloud.client("iam")
    limit = iam.create_policy(PolicyName="limit", PolicyDocument=policy(statement("s3:*")))["Policy"]["Arn"]
    bound = Role(cloud, "bound")
    bound.may(statement("*"))
    assert bound.client("sts").assume_role(RoleArn=arn, RoleSessionName="ann")["Credentials"]
    iam.put_role_permissions_boundary(RoleName="bound", PermissionsBoundary=limit)
    refused = refusal(lambda: bound.client("sts").assume_role(RoleArn=arn, RoleSessionName="ann"))
    assert (refused[0], "sts:AssumeRole on resource" in refused[1]) == ("AccessDenied", True)


def test_managed_policies_narrow_a_session(cloud: Cloud, assumable: tuple[str, Any]) -> None:
    arn, sts = assumable
    narrow = session(cloud, sts, arn, PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess"}])
    assert "Reservations" in narrow("ec2").describe_instances()
    code, message, _ = refusal(lambda: narrow("sns").create_topic(Name="t"))
    assert (code, "no session policy allows" in message) == ("AuthorizationError", True)


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ({"Policy": "no json"}, "MalformedPolicyDocument", "can't be read"),
        ({"Policy": "[]"}, "MalformedPolicyDocument", "can't be read"),
        ({"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/None"}]}, "ValidationError", "does not exist"),
        ({"DurationSeconds": 3601}, "ValidationError", "MaxSessionDuration"),
        ({"SourceIdentity": "ann"}, "ValidationError", "AssumeRole's SourceIdentity"),
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "ValidationError", "AssumeRole's Tags"),
    ],
)
def test_what_a_session_can_not_be_is_refused(
    assumable: tuple[str, Any], asked: dict[str, Any], code: str, said: str
) -> None:
    arn, sts = assumable
    found = refusal(lambda: sts.assume_role(RoleArn=arn, RoleSessionName="ann", **asked))
    assert (found[0], said in found[1]) == (code, True)


def test_a_role_that_a_role_assumes_lasts_an_hour_at_most(cloud: Cloud, assumable: tuple[str, Any]) -> None:
    arn, sts = assumable
    cloud.client("iam").update_role(RoleName="wide", MaxSessionDuration=7200)
    assert sts.assume_role(RoleArn=arn, RoleSessionName="ann", DurationSeconds=7200)["Credentials"]
    chained = session(cloud, sts, arn)("sts")
    asked = {"RoleArn": arn, "RoleSessionName": "ann", "DurationSeconds": 3601}
    assert "role chaining" in refusal(lambda: chained.assume_role(**asked))[1]


def test_clients_of_several_roles_keep_apart_in_one_thread_and_in_many(cloud: Cloud) -> None:
    roles = [Role(cloud, name) for name in ("first", "second")]
    clients = [role.client("sts") for role in roles]

    def asked(number: int) -> bool:
        who = clients[number % 2].get_caller_identity()["Arn"]
        return f"assumed-role/{roles[number % 2].name}/" in who

    assert all(asked(number) for number in range(4))
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(asked, range(80)))
    pages = roles[0].client("s3").get_paginator("list_objects_v2").paginate(Bucket="nobodys")
    assert "role/first" in refusal(lambda: list(pages))[1]
