"""A release onto real machines: the installer in the user data, the agent, hooks, a load balancer."""

from __future__ import annotations

import base64
import io
import json
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.machines import open_machines
from tests.sandbox.fleets import Fleet, make_fleet, statuses
from tests.sandbox.host import skip_unless_allowed

USER_DATA = """#!/bin/bash
mkdir -p /srv/www
echo base page > /srv/www/index.html
cd /srv/www
setsid python3 -m http.server 8080 > /dev/null 2>&1 < /dev/null &
curl -fsS -o /tmp/install https://aws-codedeploy-us-east-1.s3.us-east-1.amazonaws.com/latestv2/install
chmod +x /tmp/install
/tmp/install auto
"""
APPSPEC = """
version: 0.0
os: linux
file_exists_behavior: OVERWRITE
files:
  - {source: index.html, destination: /srv/www}
permissions:
  - {object: /srv/www, pattern: "*.html", mode: "0640", type: [file]}
hooks:
  BeforeInstall:
    - {location: before.sh, timeout: 20}
  ValidateService:
    - {location: validate.sh, timeout: 20, runas: root}
"""
BEFORE = """#!/bin/bash
env | grep -E '^(APPLICATION|DEPLOYMENT|LIFECYCLE|BUNDLE)_' | sort
"""
VALIDATE = """#!/bin/bash
curl -fsS http://localhost:8080/ | grep -q release
"""


def bundle(text: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("appspec.yml", APPSPEC)
        archive.writestr("index.html", text)
        archive.writestr("before.sh", BEFORE)
        archive.writestr("validate.sh", VALIDATE)
    return made.getvalue()


@pytest.fixture(params=["namespaces", "chroot"])
def cloud(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cloud]:
    skip_unless_allowed(request.param, tmp_path)
    made = Cloud(
        tmp_path / "state",
        open_machines=lambda folder, files: open_machines(folder, kind=request.param, site_files=files),
        scale=300.0,
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def fleet(cloud: Cloud) -> Iterator[Fleet]:
    made = make_fleet(cloud, UserData=base64.b64encode(USER_DATA.encode()).decode())
    made.agents.installed = False
    cloud.client("s3").create_bucket(Bucket="artifacts")
    yield made
    made.agents.close()


def let_read(fleet: Fleet) -> None:
    """The instance role may read bundles."""
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::artifacts/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    fleet.cloud.client("iam").put_role_policy(RoleName="app", PolicyName="read", PolicyDocument=document)


def page(fleet: Fleet) -> str:
    with urllib.request.urlopen(fleet.url, timeout=10) as answer:
        return str(answer.read().decode())


def test_a_release_reaches_real_machines(fleet: Fleet) -> None:
    fleet.add_group("blue", 1, serve=False)
    fleet.add_deployment_group()
    assert page(fleet) == "base page\n"
    fleet.cloud.client("s3").put_object(Bucket="artifacts", Key="app-1.zip", Body=bundle("a release"))
    refused = fleet.deploy("app-1.zip")
    assert fleet.ended(refused, 90)["status"] == "Failed"
    (target,) = fleet.targets(refused)
    assert statuses(target)["DownloadBundle"] == "Failed"
    events = {event["lifecycleEventName"]: event for event in target["lifecycleEvents"]}
    message = events["DownloadBundle"]["diagnostics"]["message"]
    assert "is not authorized to perform: s3:GetObject" in message
    let_read(fleet)
    deployment_id = fleet.deploy("app-1.zip")
    told = fleet.ended(deployment_id, 90)
    assert told["status"] == "Succeeded", fleet.targets(deployment_id)
    assert page(fleet) == "a release"
    (target,) = fleet.targets(deployment_id)
    assert set(statuses(target).values()) == {"Succeeded"}
    machine = fleet.cloud.machines.get(target["targetId"])
    assert machine is not None
    group_id = fleet.codedeploy.get_deployment_group(applicationName="app", deploymentGroupName="fleet")[
        "deploymentGroupInfo"
    ]["deploymentGroupId"]
    folder = f"/opt/codedeploy-agent/deployment-root/{group_id}/{deployment_id}"
    log = machine.read(f"{folder}/logs/scripts.log").decode()
    assert "[stdout]LIFECYCLE_EVENT=BeforeInstall" in log
    assert f"[stdout]DEPLOYMENT_ID={deployment_id}" in log
    assert "[stdout]BUNDLE_BUCKET=artifacts" in log
    assert machine.read(f"{folder}/deployment-archive/index.html") == b"a release"
