"""A deployment that serves, with all that has a say in it: fleets, deployments, template, parameter, alarms.

One object behind every service of the door. Deployments move a step each time they are looked at, as
CodeDeploy moves them: what is stopped ends, what rolls back hands the traffic to blue.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from gbg_lib.aws import Aws
from tests.unit.aws_fakes import connected, refusal
from tests.unit.bucket_fakes import FakeBucket
from tests.unit.release_fakes import BEGIN, action
from tests.unit.shapes import checked
from tests.unit.stack_fakes import FakeCloudFormation, FakeStack

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


class FakeServing:
    """NEW serves on two machines, OLD is the release before; every service's operation is a method."""

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
        self.start_error = ""
        """what starting an execution ends with"""
        self.stop_errors: list[str] = []
        """what the next tries to stop a deployment end with"""
        self.deployed_to: list[str] = []
        """releases that a deployment brought again, as they were started"""
        self.continued: list[str] = []
        self.stopped: list[str] = []
        self.changes = 0
        """requests that changed something"""
        self.fate = "Succeeded"
        """how deployments end that are started from now on"""

    def connect(self) -> Aws:
        stacks = FakeCloudFormation([])
        stacks.edited = self.edited
        stacks.stacks["gbg-base"] = FakeStack(self.stack_status, self.base)
        stacks.stacks["gbg-pipeline"] = FakeStack("CREATE_COMPLETE", {"PipelineName": "gbg-release"})
        return connected(
            cloudformation=stacks,
            autoscaling=self,
            cloudwatch=self,
            codedeploy=self,
            codepipeline=self,
            ec2=self,
            elbv2=self,
            ssm=self,
            s3=self.bucket,
        )

    def describe_listeners(self, **given: str) -> dict[str, Any]:
        assert given == {"LoadBalancerArn": LOAD_BALANCER}
        return {"Listeners": [{"Port": 80, "DefaultActions": [self.answering]}]}

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

    def failed_and_rolled_back(self) -> None:
        """NEW failed at Deploy; OLD serves, but the parameter still names NEW's image."""
        self.deploying(moved=False)
        self._end("d-NEW", "Failed")
        del self.groups[green("d-NEW")]

    # -- Auto Scaling

    def describe_auto_scaling_groups(self, **given: Any) -> dict[str, Any]:
        names = given.get("AutoScalingGroupNames") or list(self.groups)
        found = [self._group(name, self.groups[name]) for name in names if name in self.groups]
        return {"AutoScalingGroups": found}

    @staticmethod
    def _group(name: str, group: Group) -> dict[str, Any]:
        machines = [
            {
                "InstanceId": one,
                "AvailabilityZone": "us-east-1a",
                "LifecycleState": group.lifecycle,
                "LaunchTemplate": {"LaunchTemplateId": group.template, "Version": version},
            }
            for one, version in group.machines.items()
        ]
        return {
            "AutoScalingGroupName": name,
            "DesiredCapacity": len(machines),
            "LaunchTemplate": {"LaunchTemplateId": group.template, "Version": group.version},
            "Instances": machines,
            "TargetGroupARNs": [TARGET_GROUP] if group.attached else [],
            **({"Status": group.status} if group.status else {}),
        }

    def update_auto_scaling_group(self, **given: Any) -> dict[str, Any]:
        self.changes += 1
        self.groups[given["AutoScalingGroupName"]].version = given["LaunchTemplate"]["Version"]
        return {}

    def delete_auto_scaling_group(self, **given: Any) -> dict[str, Any]:
        self.changes += 1
        del self.groups[given["AutoScalingGroupName"]]
        return {}

    # -- EC2, Systems Manager, load balancer, CloudWatch

    def describe_instances(self, **given: Any) -> dict[str, Any]:
        versions = {one: version for group in self.groups.values() for one, version in group.machines.items()}
        [asked] = [one["Values"] for one in given["Filters"] if one["Name"] == "instance-id"]
        found = [{"InstanceId": one, "ImageId": self.versions[versions[one]]} for one in asked]
        return {"Reservations": [{"Instances": found}]}

    def describe_launch_template_versions(self, **given: Any) -> dict[str, Any]:
        found = [
            {"VersionNumber": int(number), "LaunchTemplateData": {"ImageId": image}}
            for number, image in self.versions.items()
        ]
        return {"LaunchTemplateVersions": found}

    def create_launch_template_version(self, **given: Any) -> dict[str, Any]:
        self.changes += 1
        number = str(max(map(int, self.versions)) + 1)
        self.versions[number] = given["LaunchTemplateData"]["ImageId"]
        return {"LaunchTemplateVersion": {"VersionNumber": int(number)}}

    def describe_images(self, **given: Any) -> dict[str, Any]:
        wanted = {one["Name"]: one["Values"] for one in given.get("Filters", [])}
        by_filter = [
            name
            for name in self.images
            if ("image-id" in wanted or name != "ami-source") and name in wanted.get("image-id", [name])
        ]
        asked = given.get("ImageIds", by_filter)
        missing = [name for name in asked if name not in self.images]
        if missing:
            raise refusal("InvalidAMIID.NotFound", f"The image id '[{missing[0]}]' does not exist")
        return {
            "Images": [
                {
                    "ImageId": name,
                    "Name": name,
                    "State": self.images[name]["State"],
                    "CreationDate": "2026-11-24T01:00:00.000Z",
                    "Tags": [{"Key": k, "Value": v} for k, v in self.images[name]["tags"].items()],
                }
                for name in asked
            ]
        }

    def get_parameter(self, **given: Any) -> dict[str, Any]:
        return {"Parameter": {"Value": self.parameters[given["Name"]]}}

    def put_parameter(self, **given: Any) -> dict[str, Any]:
        assert given["Overwrite"]
        self.changes += 1
        self.parameters[given["Name"]] = given["Value"]
        return {}

    def send_command(self, **given: Any) -> dict[str, Any]:
        assert "curl" in given["Parameters"]["commands"][0]
        return {"Command": {"CommandId": "00000000-0000-0000-0000-000000000000"}}

    def get_command_invocation(self, **given: Any) -> dict[str, Any]:
        body = self.answers.get(given["InstanceId"])
        lines = (
            ["000", ""] * 2 if body is None else ["200", "", "200", base64.b64encode(body.encode()).decode()]
        )
        return {"Status": "Success", "StandardOutputContent": "\n".join(lines) + "\n"}

    def describe_target_health(self, **given: Any) -> dict[str, Any]:
        found = [{"Target": {"Id": one}, "TargetHealth": {"State": s}} for one, s in self.health.items()]
        return {"TargetHealthDescriptions": found}

    def put_metric_alarm(self, **given: Any) -> dict[str, Any]:
        checked("cloudwatch", "put_metric_alarm", given)
        self.changes += 1
        dimensions = {one["Name"]: one["Value"] for one in given["Dimensions"]}
        self.alarms[given["AlarmName"]] = ("OK", dimensions)
        self.acting[given["AlarmName"]] = given.get("AlarmActions", [])
        return {}

    def describe_alarms(self, **given: Any) -> dict[str, Any]:
        found = [
            {
                "AlarmName": name,
                "AlarmActions": self.acting.get(name, []),
                "MetricName": "CPUUtilization",
                "EvaluationPeriods": 1,
                "ComparisonOperator": "GreaterThanThreshold",
                "StateValue": state,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            }
            for name, (state, dimensions) in self.alarms.items()
            if name in given.get("AlarmNames", self.alarms)
        ]
        return {"MetricAlarms": found}

    # -- CodeDeploy

    def get_deployment_group(self, **given: Any) -> dict[str, Any]:
        ready = (
            {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": self.ready_minutes}
            if self.ready_minutes
            else {"actionOnTimeout": "CONTINUE_DEPLOYMENT"}
        )
        info: dict[str, Any] = {
            "autoScalingGroups": [{"name": name} for name in self.listed],
            "alarmConfiguration": {"enabled": True, "alarms": [{"name": name} for name in self.watched]},
            "blueGreenDeploymentConfiguration": {
                "deploymentReadyOption": ready,
                "terminateBlueInstancesOnDeploymentSuccess": {
                    "terminationWaitTimeInMinutes": self.termination_minutes
                },
            },
        }
        if self.last_successful:
            info["lastSuccessfulDeployment"] = {"deploymentId": self.last_successful}
        return {"deploymentGroupInfo": info}

    def list_deployments(self, **given: Any) -> dict[str, Any]:
        wanted = given["includeOnlyStatuses"]
        return {"deployments": [name for name, one in self.deployments.items() if one.status in wanted]}

    def get_deployment(self, **given: Any) -> dict[str, Any]:
        name = given["deploymentId"]
        found = self.deployments[name]
        told = {
            "deploymentId": name,
            "status": found.status,
            "creator": found.creator,
            "createTime": BEGIN,
            "revision": {
                "revisionType": "S3",
                "s3Location": {"bucket": "b", "key": f"{found.release}.zip", "bundleType": "zip"},
            },
            "rollbackInfo": {
                "rollbackDeploymentId": found.rollback,
                "rollbackTriggeringDeploymentId": found.rolls_back,
            },
            "instanceTerminationWaitTimeStarted": found.termination_wait,
        }
        if found.status == "Failed":
            told["errorInformation"] = {"code": "HEALTH_CONSTRAINTS", "message": "too few healthy"}
        if found.then:
            self._end(name, found.then)
        return {"deploymentInfo": told}

    def stop_deployment(self, **given: Any) -> dict[str, Any]:
        self.changes += 1
        name = given["deploymentId"]
        found = self.deployments[name]
        if found.status in ("Succeeded", "Failed", "Stopped"):
            raise refusal("DeploymentAlreadyCompletedException", "it has already completed")
        if self.stop_errors:
            raise refusal(self.stop_errors.pop(0), "not now")
        assert given["autoRollbackEnabled"]
        self.stopped.append(name)
        found.then = "Stopped"
        return {"status": "Pending"}

    def continue_deployment(self, **given: Any) -> dict[str, Any]:
        self.changes += 1
        self.continued.append(given["deploymentWaitType"])
        self.deployments[given["deploymentId"]].status = "InProgress"
        return {}

    def create_deployment(self, **given: Any) -> dict[str, Any]:
        self.changes += 1
        key = given["revision"]["s3Location"]["key"].removesuffix(".zip")
        return {"deploymentId": self._start(key)}

    def list_deployment_targets(self, **given: Any) -> dict[str, Any]:
        group = self.groups.get(green(given["deploymentId"]))
        blue = ["i-7", "i-8"] if len(self.groups) == 2 else []
        return {"targetIds": [*(group.machines if group else []), *blue]}

    def batch_get_deployment_targets(self, **given: Any) -> dict[str, Any]:
        moved = self.deployments[given["deploymentId"]].termination_wait
        found = [
            {
                "targetId": one,
                "instanceLabel": label,
                "status": "Ready",
                "lifecycleEvents": [
                    {
                        "lifecycleEventName": event,
                        "status": "Succeeded",
                        "startTime": BEGIN,
                        "endTime": self.moved,
                    }
                ]
                if moved
                else [],
            }
            for one in given["targetIds"]
            for label, event in [
                ("Blue", "BlockTraffic") if one in ("i-7", "i-8") else ("Green", "AllowTraffic")
            ]
        ]
        return {"deploymentTargets": [{"instanceTarget": one} for one in found]}

    def _start(self, key: str) -> str:
        name = f"d-AGAIN{len(self.deployed_to)}"
        self.deployed_to.append(key)
        if self.ready_minutes:
            self.deployments[name] = FakeDeployment("Ready", key)
            self.groups[green(name)] = Group("2", {"i-11": "2"}, attached=False)
            return name
        self.deployments[name] = FakeDeployment("InProgress", key, then=self.fate)
        return name

    def _end(self, name: str, status: str) -> None:
        """What CodeDeploy does at a deployment's end."""
        found = self.deployments[name]
        found.status, found.then = status, ""
        for execution in self.executions:
            if execution.release == found.release and execution.status == "InProgress":
                execution.status = "Succeeded" if status == "Succeeded" else "Failed"
                execution.actions[-1]["status"] = execution.status
        if found.creator == "codeDeployRollback":
            self._blue_again(found)
        elif status == "Succeeded":
            self._green_serves(name)
        elif status == "Stopped" and self.last_successful and len(self.groups) == 2:
            found.rollback = f"{name}-back"
            release = self.deployments[self.last_successful].release
            self.deployments[found.rollback] = FakeDeployment(
                "InProgress", release, "codeDeployRollback", rolls_back=name, then=self.fate
            )

    def _green_serves(self, name: str) -> None:
        """The serving group's copy, on the version that the group is pinned to."""
        version = self.groups[self.listed[0]].version
        self.groups = {green(name): Group(version, {"i-11": version, "i-12": version})}
        self.health = {"i-11": "healthy", "i-12": "healthy"}
        self.listed, self.last_successful = [green(name)], name
        self.pages["/health"] = health(self.deployments[name].release)

    def _blue_again(self, found: FakeDeployment) -> None:
        if found.status != "Succeeded":
            return
        del self.groups[green(found.rolls_back)]
        [(name, blue)] = self.groups.items()
        self.listed, self.health = [name], dict.fromkeys(blue.machines, "healthy")
        self.pages["/health"] = health(found.release)

    # -- CodePipeline

    def list_pipeline_executions(self, **given: Any) -> dict[str, Any]:
        return {"pipelineExecutionSummaries": [self._execution(one) for one in self.executions]}

    @staticmethod
    def _execution(found: Execution) -> dict[str, Any]:
        told = {
            "pipelineExecutionId": found.id,
            "status": found.status,
            "startTime": BEGIN,
            "sourceRevisions": [{"revisionId": COMMITS[found.release], "revisionSummary": found.release}],
        }
        if found.rolls_back_to:
            told["rollbackMetadata"] = {"rollbackTargetPipelineExecutionId": found.rolls_back_to}
        return told

    def list_action_executions(self, **given: Any) -> dict[str, Any]:
        wanted = given["filter"]["pipelineExecutionId"]
        [found] = [one for one in self.executions if one.id == wanted]
        return {"actionExecutionDetails": found.actions}

    def start_pipeline_execution(self, **given: Any) -> dict[str, Any]:
        if self.start_error:
            raise refusal(self.start_error, "not now")
        self.changes += 1
        self.executions.insert(0, Execution("e-started", "InProgress", [], NEW))
        return {"pipelineExecutionId": "e-started"}

    def stop_pipeline_execution(self, **given: Any) -> dict[str, Any]:
        self.changes += 1
        assert not given["abandon"]
        self.stopped.append(given["pipelineExecutionId"])
        return {}

    def get_metric_data(self, **given: Any) -> dict[str, Any]:
        """Blue's figures before the traffic moved, green's after it."""
        told = self.blue if given["EndTime"] <= self.moved else self.green
        asked = [one["MetricStat"] for one in given["MetricDataQueries"]]
        values = [told[one["Metric"]["MetricName"], one["Stat"]] for one in asked]
        found = [{"Id": f"m{n}", "Values": [value] if value else []} for n, value in enumerate(values)]
        return {"MetricDataResults": found}

    def rollback_stage(self, **given: Any) -> dict[str, Any]:
        if self.stage_rollback_error:
            raise refusal(self.stage_rollback_error, "not by this way")
        self.changes += 1
        target = given["targetPipelineExecutionId"]
        self._pin(target)
        deployment = self._start(target)
        acting = action("Deploy", 0, 9, "InProgress", external=deployment)
        self.executions.insert(0, Execution("e-back", "InProgress", [acting], target, rolls_back_to=target))
        return {"pipelineExecutionId": "e-back"}

    def _pin(self, key: str) -> None:
        """The first action of stage Deploy."""
        same = [number for number, image in self.versions.items() if image == IMAGES[key]]
        if not same:
            same = [str(max(map(int, self.versions)) + 1)]
            self.versions[same[0]] = IMAGES[key]
        self.groups[self.listed[0]].version = same[0]

    def retry_stage_execution(self, **given: Any) -> dict[str, Any]:
        self.changes += 1
        assert given["stageName"] == "Deploy"
        execution = next(one for one in self.executions if one.id == given["pipelineExecutionId"])
        assert given["retryMode"] == "ALL_ACTIONS", "else the fleet is not pinned again"
        self._pin(execution.release)
        execution.status = "InProgress"
        execution.actions[-1] = action(
            "Deploy", 100, 110, "InProgress", external=self._start(execution.release)
        )
        return {"pipelineExecutionId": execution.id}


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
