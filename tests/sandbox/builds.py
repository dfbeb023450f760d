"""A CodeBuild project, its role and source, and what came of a build: for tests of builds."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from gbg_sandbox.cloud import Cloud

IMAGE = "aws/codebuild/amazonlinux-x86_64-standard:5.0"
LOGS = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
BUCKET = {
    "Effect": "Allow",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::artifacts", "arn:aws:s3:::artifacts/*"],
}


def service_role(cloud: Cloud, *statements: Mapping[str, Any], name: str = "build") -> str:
    """A role that CodeBuild may assume, with these rights."""
    iam: Any = cloud.stored("iam")
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "codebuild.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=_policy(*statements))
    return str(role)


def _policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def zipped(files: Mapping[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def project(cloud: Cloud, role: str, **settings: Any) -> Any:
    """A project `app` whose source is an S3 object; returns the client."""
    client: Any = cloud.client("codebuild")
    client.create_project(
        **{
            "name": "app",
            "serviceRole": role,
            "source": {"type": "S3", "location": "artifacts/source.zip"},
            "artifacts": {"type": "S3", "location": "artifacts", "name": "app.zip", "packaging": "ZIP"},
            "environment": {"type": "LINUX_CONTAINER", "image": IMAGE, "computeType": "BUILD_GENERAL1_SMALL"},
            **settings,
        }
    )
    return client


def put_source(cloud: Cloud, buildspec: str, **files: str) -> None:
    s3: Any = cloud.client("s3")
    s3.put_object(Bucket="artifacts", Key="source.zip", Body=zipped({"buildspec.yml": buildspec, **files}))


def finished(cloud: Cloud, build: dict[str, Any]) -> dict[str, Any]:
    """The build when it is over."""
    client: Any = cloud.client("codebuild")

    def told() -> dict[str, Any]:
        found: dict[str, Any] = client.batch_get_builds(ids=[build["id"]])["builds"][0]
        return found

    assert cloud.clock.wait_until(lambda: told()["buildComplete"], aws_seconds=0, real_floor=300), told()
    return told()


def run(cloud: Cloud, client: Any, **overrides: Any) -> dict[str, Any]:
    return finished(cloud, client.start_build(projectName="app", **overrides)["build"])


def phase(build: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in build["phases"] if one["phaseType"] == kind)
    return found


def context(build: dict[str, Any], kind: str) -> tuple[str, str]:
    (found,) = phase(build, kind)["contexts"]
    return found["statusCode"], found["message"]


def log_of(cloud: Cloud, build: dict[str, Any]) -> str:
    logs: Any = cloud.client("logs")
    told = build["logs"]
    events = logs.get_log_events(
        logGroupName=told["groupName"], logStreamName=told["streamName"], startFromHead=True
    )
    return "".join(event["message"] for event in events["events"])
