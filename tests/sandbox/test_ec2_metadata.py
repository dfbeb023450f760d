"""The metadata service tells each machine who it is, and nobody else."""

from __future__ import annotations

import base64
import json
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.machines.interface import METADATA_ADDRESS
from tests.sandbox.fakes import FakeMachines
from tests.sandbox.places import Place, make_place

TTL = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


@pytest.fixture
def place(cloud: Cloud) -> Place:
    return make_place(cloud)


def ask(place: Place, instance_id: str, method: str, path: str, headers: dict[str, str]) -> HTTPResponse:
    machines = place.cloud.machines
    assert isinstance(machines, FakeMachines)
    connection = HTTPConnection(METADATA_ADDRESS)
    connection.sock = machines.connect_from(instance_id, METADATA_ADDRESS, 80)
    connection.request(method, path, headers={**headers, "Connection": "close"})
    return connection.getresponse()


def get(place: Place, instance_id: str, path: str) -> str:
    token = ask(place, instance_id, "PUT", "/latest/api/token", TTL).read().decode()
    response = ask(place, instance_id, "GET", f"/latest/{path}", {"X-aws-ec2-metadata-token": token})
    assert response.status == 200, path
    return response.read().decode()


def make_profile(place: Place, trust: dict[str, Any]) -> None:
    iam: Any = place.cloud.client("iam")
    iam.create_role(RoleName="web", AssumeRolePolicyDocument=json.dumps(trust))
    iam.create_instance_profile(InstanceProfileName="web")
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")


def test_each_machine_reads_its_own_identity(place: Place) -> None:
    user_data = "#!/bin/sh\necho hello\n"
    first, second = place.launch(2, UserData=user_data)
    assert get(place, first, "meta-data/instance-id") == first
    assert get(place, second, "meta-data/instance-id") == second
    assert get(place, first, "meta-data/local-ipv4") == place.instance(first)["PrivateIpAddress"]
    assert get(place, first, "meta-data/placement/region") == "us-east-1"
    assert get(place, first, "user-data") == user_data
    assert json.loads(get(place, first, "dynamic/instance-identity/document"))["imageId"] == place.image_id
    assert "placement/" in get(place, first, "meta-data/").splitlines()


def test_user_data_may_be_any_bytes(place: Place) -> None:
    content = bytes(range(256))
    (instance_id,) = place.launch(UserData=content)
    token = ask(place, instance_id, "PUT", "/latest/api/token", TTL).read().decode()
    answer = ask(place, instance_id, "GET", "/latest/user-data", {"X-aws-ec2-metadata-token": token})
    assert answer.read() == content
    stored = place.ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="userData")
    assert base64.b64decode(stored["UserData"]["Value"]) == content


def test_without_a_token_only_where_that_is_allowed(place: Place) -> None:
    (strict,) = place.launch(MetadataOptions={"HttpTokens": "required"})
    (open_to_v1,) = place.launch(MetadataOptions={"HttpTokens": "optional"})
    (off,) = place.launch(MetadataOptions={"HttpEndpoint": "disabled"})
    status = {
        name: ask(place, name, "GET", "/latest/meta-data/ami-id", {}).status
        for name in (strict, open_to_v1, off)
    }
    assert status == {strict: 401, open_to_v1: 200, off: 403}


def test_a_token_is_good_for_its_own_machine_only(place: Place) -> None:
    first, second = place.launch(2)
    token = ask(place, first, "PUT", "/latest/api/token", TTL).read().decode()
    headers = {"X-aws-ec2-metadata-token": token}
    assert ask(place, first, "GET", "/latest/meta-data/ami-id", headers).status == 200
    assert ask(place, second, "GET", "/latest/meta-data/ami-id", headers).status == 401
    assert ask(place, first, "PUT", "/latest/api/token", {}).status == 400
    assert ask(place, first, "GET", "/latest/meta-data/nothing", headers).status == 404


def test_tags_are_told_only_when_enabled(place: Place) -> None:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "colour", "Value": "green"}]}]
    (instance_id,) = place.launch(TagSpecifications=tags, MetadataOptions={"InstanceMetadataTags": "enabled"})
    assert get(place, instance_id, "meta-data/tags/instance/colour") == "green"
    place.ec2.modify_instance_metadata_options(InstanceId=instance_id, InstanceMetadataTags="disabled")
    assert "tags/" not in get(place, instance_id, "meta-data/").splitlines()


def test_the_roles_keys_belong_to_this_instance(place: Place) -> None:
    make_profile(place, TRUST)
    (instance_id,) = place.launch(IamInstanceProfile={"Name": "web"})
    assert get(place, instance_id, "meta-data/iam/security-credentials/") == "web"
    keys = json.loads(get(place, instance_id, "meta-data/iam/security-credentials/web"))
    credential = place.cloud.credentials.find(keys["AccessKeyId"])
    assert credential is not None
    assert (keys["SecretAccessKey"], keys["Token"]) == (credential.secret_key, credential.token)
    assert credential.principal.role_name == "web"
    assert credential.principal.instance_id == instance_id
    again = json.loads(get(place, instance_id, "meta-data/iam/security-credentials/web"))
    assert again["AccessKeyId"] == keys["AccessKeyId"]


def test_a_role_that_ec2_may_not_assume_gives_no_keys(place: Place) -> None:
    nobody = json.loads(json.dumps(TRUST).replace("ec2.amazonaws.com", "lambda.amazonaws.com"))
    make_profile(place, nobody)
    (instance_id,) = place.launch(IamInstanceProfile={"Name": "web"})
    refusal = json.loads(get(place, instance_id, "meta-data/iam/security-credentials/web"))
    assert refusal["Code"] == "AssumeRoleUnauthorizedAccess"
    assert "AccessKeyId" not in refusal
