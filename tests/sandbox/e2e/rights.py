"""Keys of somebody who may do what a scheduled job may do, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from typing import Any

import boto3
import botocore.session

from gbg_lib.aws import Aws
from gbg_lib.scheduling import rights
from tests.sandbox.e2e.world import World

PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "us-east-1"}


class Somebody:
    """An IAM user with a job's policy and the right to tell one topic, as the job's stack gives it."""

    def __init__(self, world: World, runbook: str, deployment: str, topic: str) -> None:
        self.world = world
        names = {**PSEUDO, "AWS::AccountId": world.aws.account(), "Deployment": deployment}
        document = rights.document(runbook)
        assert document is not None
        news = {"Effect": "Allow", "Action": "sns:Publish", "Resource": topic}
        policy = {**resolved(document, names), "Statement": [*resolved(document, names)["Statement"], news]}
        self.user = user = f"job-{runbook}"
        world.aws.call("iam", "create_user", UserName=user)
        world.aws.call(
            "iam", "put_user_policy", UserName=user, PolicyName="job", PolicyDocument=json.dumps(policy)
        )
        made = world.aws.call("iam", "create_access_key", UserName=user)["AccessKey"]
        self._keys = {
            "aws_access_key_id": str(made["AccessKeyId"]),
            "aws_secret_access_key": str(made["SecretAccessKey"]),
        }

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Whoever opens the sandbox's door meanwhile does it with these keys."""
        file = self.world.home.credentials_file
        former = file.read_text()
        profiles = ConfigParser()
        profiles.read_string(former)
        for name in profiles.sections():
            profiles[name].update(self._keys)
        with file.open("w") as changed:
            profiles.write(changed)
        try:
            yield
        finally:
            file.write_text(former)

    @contextmanager
    def denied(self, action: str) -> Iterator[None]:
        """Without that right for a while."""
        iam = {"UserName": self.user, "PolicyName": "denied"}
        statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.world.aws.call("iam", "put_user_policy", **iam, PolicyDocument=policy)
        try:
            yield
        finally:
            self.world.aws.call("iam", "delete_user_policy", **iam)

    @property
    def aws(self) -> Aws:
        core = botocore.session.Session()
        session = boto3.session.Session(
            **self._keys, botocore_session=core, region_name=self.world.aws.region
        )
        return Aws(session, poll_seconds=0.2, endpoint_url=self.world.aws.endpoint_url)


def resolved(value: Any, names: dict[str, str]) -> Any:
    """A part of a template as CloudFormation makes it, of what the rights use: Ref and Sub."""
    if isinstance(value, dict) and value.keys() == {"Ref"}:
        return names[value["Ref"]]
    if isinstance(value, dict) and value.keys() == {"Fn::Sub"}:
        return re.sub(r"\$\{([\w:]+)\}", lambda found: names[found[1]], value["Fn::Sub"])
    if isinstance(value, dict):
        return {key: resolved(item, names) for key, item in value.items()}
    return [resolved(item, names) for item in value] if isinstance(value, list) else value
