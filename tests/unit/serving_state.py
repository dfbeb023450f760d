"""A deployment that serves: fleets, deployments, releases, template, alarms, as a test may set them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.unit.bucket_fakes import FakeBucket
from tests.unit.release_fakes import BEGIN, action

TEMPLATE = "lt-1"
TARGET_GROUP = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/gbg/11"
LOAD_BALANCER = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/gbg/22"
ALARMS = ("gbg-target-5xx", "gbg-elb-5xx", "gbg-unhealthy-hosts")
OLD, NEW = "e-old", "e-new"
"""the release before, and the one that serves"""
COMMITS = {OLD: "a" * 40, NEW: "b" * 40}
IMAGES = {OLD: "ami-old", NEW: "ami-new"}
VERSIONS = {OLD: "2", NEW: "3"}
DEPLOYMENTS = {OLD: "d-OLD", NEW: "d-NEW"}


def green(deployment: str) -> str:
    return f"CodeDeploy_gbg-fleet_{deployment}"


@dataclass
class Group:
    version: str
    machines: dict[str, str]
    """id → the version that it was launched from"""
    template: str = TEMPLATE
    status: str = ""
    attached: bool = True
    lifecycle: str = "InService"


@dataclass
class FakeDeployment:
    status: str
    release: str = NEW
    creator: str = "user"
    termination_wait: bool = False
    rollback: str = ""
    rolls_back: str = ""
    then: str = ""
    """what it ends as"""


@dataclass
class Execution:
    id: str
    status: str
    actions: list[dict[str, Any]]
    release: str
    rolls_back_to: str = ""


class ServingState:
    """NEW serves on two machines, OLD is the release before."""

    def __init__(self) -> None:
        self.pages = {"/": "<h1>hello</h1>", "/health": health(NEW)}
        """what the site answers, to be served"""
        self.base = {
            "Deployment": "gbg",
            "SiteUrl": "http://127.0.0.1:1/",
            "TargetGroupArn": TARGET_GROUP,
            "LoadBalancerArn": LOAD_BALANCER,
            "LaunchTemplateId": TEMPLATE,
            "ApplicationName": "gbg-app",
            "ArtifactBucketName": "gbg-artifacts",
            "DeploymentGroupName": "gbg-fleet",
            "GoldenAmiParameterName": "/gbg/golden-ami",
            "SourceAmiParameterName": "/gbg/source-ami",
            "FirstGroupName": "gbg-blue",
            "RepositoryName": "gbg-app",
            "RepositoryCloneUrlHttp": "https://git.example/gbg-app",
        }
        self.groups = {green("d-NEW"): Group("3", {"i-1": "3", "i-2": "3"})}
        self.health = {"i-1": "healthy", "i-2": "healthy"}
        self.listed = [green("d-NEW")]
        self.last_successful = "d-NEW"
        self.ready_minutes, self.termination_minutes = 0, 5
        self.watched = list(ALARMS)
        self.versions = {"1": "ami-source", "2": "ami-old", "3": "ami-new"}
        self.parameters = {"/gbg/golden-ami": "ami-new", "/gbg/source-ami": "ami-source"}
        self.images: dict[str, dict[str, Any]] = {
            "ami-source": {"State": "available", "tags": {}},
            "ami-old": {"State": "available", "tags": {"gbg:commit": COMMITS[OLD]}},
            "ami-new": {"State": "available", "tags": {"gbg:commit": COMMITS[NEW]}},
        }
        self.alarms = {name: ("OK", {"TargetGroup": "targetgroup/gbg/11"}) for name in ALARMS}
        self.answering: dict[str, Any] = {"Type": "forward", "TargetGroupArn": TARGET_GROUP}
        """what the load balancer's one listener does"""
        self.acting: dict[str, list[str]] = {}
        """alarm → what it starts"""
        self.deployments = {one: FakeDeployment("Succeeded", key) for key, one in DEPLOYMENTS.items()}
        self.executions = [release(NEW), release(OLD)]
        """newest first"""
        self.moved = BEGIN
        """when the traffic was green's alone"""
        self.blue, self.green = figures(1000), figures(1000)
        self.bucket = FakeBucket()
        self.stack_status = "CREATE_COMPLETE"
        self.edited: dict[str, list[tuple[str, str, str]]] = {}
        """of Part 1, from outside: as in FakeCloudFormation"""
        self.answers: dict[str, str] = {}
        """machine → what its /health answers; nothing where it isn't named"""
        self.stage_rollback_error = ""
        self.actions_unheard = False
        """whether CodePipeline tells nothing of actions any more"""
        self.executions_unheard = False
        self.deployment_error = ""
        """what creating a deployment ends with"""
        self.start_error = ""
        """what starting an execution ends with"""
        self.stop_errors: list[str] = []
        self.read_errors: list[str] = []
        """what the next tries to stop a deployment end with"""
        self.deployed_to: list[str] = []
        """releases that a deployment brought again, as they were started"""
        self.continued: list[str] = []
        self.stopped: list[str] = []
        self.changes = 0
        """requests that changed something"""
        self.fate = "Succeeded"
        """how deployments end that are started from now on"""

    def deploying(self, *, moved: bool) -> None:
        """NEW is being deployed beside OLD's fleet; `moved` says whether green has the traffic."""
        self.groups = {
            green("d-OLD"): Group("2", {"i-7": "2", "i-8": "2"}),
            green("d-NEW"): Group("3", {"i-1": "3", "i-2": "3"}, attached=moved),
        }
        serving, other = (("i-1", "i-2"), ("i-7", "i-8")) if moved else (("i-7", "i-8"), ("i-1", "i-2"))
        self.health = dict.fromkeys(serving, "healthy") | dict.fromkeys(other, "unused")
        self.listed = [green("d-NEW" if moved else "d-OLD")]
        self.last_successful = "d-OLD"
        self.deployments["d-NEW"] = FakeDeployment("InProgress", NEW, termination_wait=moved)
        self.executions[0].status = "InProgress"
        self.executions[0].actions[-1]["status"] = "InProgress"
        self.pages["/health"] = health(NEW if moved else OLD)
        self.answers = dict.fromkeys(["i-7", "i-8"], health(OLD)) | dict.fromkeys(["i-1", "i-2"], health(NEW))


def figures(
    requests: int, errors: int = 0, milliseconds: float = 20, balancer_errors: int = 0
) -> dict[tuple[str, str], float]:
    """metric and statistic → what CloudWatch sums up."""
    return {
        ("RequestCount", "Sum"): requests,
        ("HTTPCode_Target_5XX_Count", "Sum"): errors,
        ("HTTPCode_ELB_5XX_Count", "Sum"): balancer_errors,
        ("TargetResponseTime", "Sum"): requests * milliseconds / 1000,
        ("TargetResponseTime", "SampleCount"): requests,
    }


def release(key: str) -> Execution:
    baked = {"ImageId": IMAGES[key], "AutomationExecutionId": "a"}
    pinned = {"LaunchTemplateVersion": VERSIONS[key]}
    return Execution(
        key,
        "Succeeded",
        [
            action("Source", 0, 1),
            action("BuildGoldenAMI", 2, 40, outputs=baked),
            action("Build", 41, 50),
            action("Deploy", 51, 52, outputs=pinned, name="PinFleet"),
            action("Deploy", 53, 90, external=DEPLOYMENTS[key]),
        ],
        key,
    )


def health(key: str) -> str:
    """What /health answers in a release."""
    return json.dumps({"commit": COMMITS[key], "image": IMAGES[key], "deployment": DEPLOYMENTS[key]})
