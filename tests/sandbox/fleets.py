"""A fleet behind a load balancer with a deployment group on it, for tests of CodeDeploy.

Machines are loopback addresses. What an agent would do is done by `Agents`, in this process and through the
agents' private API: a machine whose ApplicationStart ran gets a web server, unless a test says otherwise.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.events import Event
from gbg_sandbox.service import AwsError, Call, Principal
from tests.sandbox.loopback_machines import Site
from tests.sandbox.places import Place, eventually, make_place

ROLE_TRUST = "codedeploy.amazonaws.com"
LAUNCH_RIGHTS = ["ec2:RunInstances", "ec2:CreateTags", "iam:PassRole"]
EVENTS = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]


@dataclass
class Verdict:
    """How an event ends on a machine."""

    code: int
    message: str
    script: str = "scripts/run.sh"
    log: str = ""


class Agents:
    """One agent a running instance, as long as `installed`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._stop = threading.Event()
        self._lock = threading.Lock()
        """of `sites`: agents and events come and go while a test ends"""
        self._threads: list[threading.Thread] = []
        self.installed = True
        self.verdicts: dict[str, Verdict] = {}
        """event → how it ends, where it doesn't end well"""
        self.blocked: dict[str, threading.Event] = {}
        """event → what it waits for"""
        self.ran: dict[str, list[str]] = defaultdict(list)
        self.sites: dict[str, Site] = {}
        self.healthy = True
        cloud.events.subscribe(self._on_event)

    def close(self) -> None:
        with self._lock:
            self._stop.set()
            left = list(self.sites.values())
        for waiting in list(self.blocked.values()):
            waiting.set()
        for site in left:
            site.close()

    def _on_event(self, event: Event) -> None:
        if event.detail_type != "EC2 Instance State-change Notification":
            return
        instance, state = event.detail["instance-id"], event.detail["state"]
        if state == "shutting-down":
            with self._lock:
                site = self.sites.pop(instance, None)
            if site is not None:
                site.close()
        if state == "running" and self.installed and instance not in self.ran:
            self.ran[instance] = []
            thread = threading.Thread(target=self._work, args=(instance,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self, instance: str) -> None:
        api = self._cloud.service("codedeploy-commands")
        account = self._cloud.account
        principal = Principal(
            "role",
            f"arn:aws:sts::{account}:assumed-role/app/{instance}",
            account,
            "app",
            instance_id=instance,
        )
        call = Call("agent", principal, self._cloud.region)
        host = self._cloud.arn("ec2", f"instance/{instance}")
        while not self._stop.is_set() and not self._cloud.clock.stopped:
            command = api.poll_host_command(call, {"HostIdentifier": host}).get("HostCommand")
            if command:
                with contextlib.suppress(AwsError):
                    self._do(api, call, instance, command)

    def _do(self, api: Any, call: Call, instance: str, command: dict[str, Any]) -> None:
        name, identifier = command["CommandName"], {"HostCommandIdentifier": command["HostCommandIdentifier"]}
        api.put_host_command_acknowledgement(call, identifier)
        self.ran[instance].append(name)
        if name in self.blocked:
            self.blocked[name].wait(120)
        verdict = self.verdicts.get(name, Verdict(0, "Succeeded", ""))
        if name == "ApplicationStart" and verdict.code == 0 and instance not in self.sites:
            self.serve(instance)
        payload = {
            "error_code": verdict.code,
            "script_name": verdict.script,
            "message": verdict.message,
            "log": verdict.log,
        }
        diagnostics = {"Format": "JSON", "Payload": json.dumps(payload)}
        status = "Failed" if verdict.code else "Succeeded"
        api.put_host_command_complete(
            call, {**identifier, "CommandStatus": status, "Diagnostics": diagnostics}
        )

    def serve(self, instance: str) -> None:
        described = self._cloud.client("ec2").describe_instances(InstanceIds=[instance])
        found = described["Reservations"][0]["Instances"][0]
        site = Site(self._cloud.machines.reach(found["VpcId"], found["PrivateIpAddress"]), 8080, instance)
        site.status = 200 if self.healthy else 500
        with self._lock:
            if not self._stop.is_set():
                self.sites[instance] = site
                return
        site.close()


@dataclass
class Fleet:
    cloud: Cloud
    agents: Agents
    place: Place
    role_arn: str
    target_group: str
    url: str
    template: str
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def codedeploy(self) -> Any:
        return self.cloud.client("codedeploy")

    @property
    def autoscaling(self) -> Any:
        return self.cloud.client("autoscaling")

    def add_group(self, name: str, size: int, *, serve: bool = True, **params: Any) -> list[str]:
        """A group with this many instances in service; with `serve` each gets a web server from here."""
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=1,
            MaxSize=max(4, size),
            DesiredCapacity=size,
            VPCZoneIdentifier=",".join(self.place.subnets),
            LaunchTemplate={"LaunchTemplateId": self.template, "Version": "1"},
            TargetGroupARNs=[self.target_group],
            Tags=[{"Key": "gbg:deployment", "Value": "gbg", "PropagateAtLaunch": True}],
            **params,
        )
        eventually(lambda: len(self.instances(name)) == size)
        for instance in self.instances(name) if serve else ():
            self.agents.serve(instance)
        eventually(lambda: len(self.healthy_targets()) == size)
        return self.instances(name)

    def instances(self, group: str) -> list[str]:
        found = self.group(group)
        states = found["Instances"] if found else []
        return [one["InstanceId"] for one in states if one["LifecycleState"] == "InService"]

    def group(self, name: str) -> dict[str, Any] | None:
        found = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
            "AutoScalingGroups"
        ]
        return dict(found[0]) if found else None

    def healthy_targets(self) -> set[str]:
        told = self.cloud.client("elbv2").describe_target_health(TargetGroupArn=self.target_group)
        found = told["TargetHealthDescriptions"]
        return {one["Target"]["Id"] for one in found if one["TargetHealth"]["State"] == "healthy"}

    def add_deployment_group(self, **changes: Any) -> None:
        settings: dict[str, Any] = {
            "serviceRoleArn": self.role_arn,
            "autoScalingGroups": ["blue"],
            "deploymentConfigName": "CodeDeployDefault.AllAtOnce",
            "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
            "loadBalancerInfo": {"targetGroupInfoList": [{"name": "web"}]},
            "blueGreenDeploymentConfiguration": {
                "greenFleetProvisioningOption": {"action": "COPY_AUTO_SCALING_GROUP"},
                "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
                "terminateBlueInstancesOnDeploymentSuccess": {
                    "action": "TERMINATE",
                    "terminationWaitTimeInMinutes": 5,
                },
            },
        }
        self.codedeploy.create_application(applicationName="app")
        self.codedeploy.create_deployment_group(
            applicationName="app", deploymentGroupName="fleet", **{**settings, **changes}
        )

    def blue_green(self, **changes: Any) -> dict[str, Any]:
        """The usual blue/green settings with some changed."""
        return {
            "greenFleetProvisioningOption": {"action": "COPY_AUTO_SCALING_GROUP"},
            "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
            "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE"},
            **changes,
        }

    def deploy(self, key: str = "app-1.zip", **params: Any) -> str:
        revision = {
            "revisionType": "S3",
            "s3Location": {"bucket": "artifacts", "key": key, "bundleType": "zip"},
        }
        made = self.codedeploy.create_deployment(
            applicationName="app", deploymentGroupName="fleet", revision=revision, **params
        )
        return str(made["deploymentId"])

    def deployment(self, deployment_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.codedeploy.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
        return found

    def ended(self, deployment_id: str, real_seconds: float = 120) -> dict[str, Any]:
        """The deployment when it is over."""
        over = ("Succeeded", "Failed", "Stopped")
        eventually(lambda: self.deployment(deployment_id)["status"] in over, real_seconds)
        return self.deployment(deployment_id)

    def targets(self, deployment_id: str, label: str = "Green") -> list[dict[str, Any]]:
        ids = self.codedeploy.list_deployment_targets(
            deploymentId=deployment_id, targetFilters={"ServerInstanceLabel": [label]}
        )["targetIds"]
        if not ids:
            return []
        found = self.codedeploy.batch_get_deployment_targets(deploymentId=deployment_id, targetIds=ids)
        return [one["instanceTarget"] for one in found["deploymentTargets"]]

    def events(self, detail_type: str) -> list[dict[str, Any]]:
        return [dict(one.detail) for one in self.cloud.events.since(0) if one.detail_type == detail_type]

    def allow(self, *actions: str) -> None:
        """Beside AWSCodeDeployRole the service role may do these."""
        document = {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": list(actions), "Resource": "*"},
        }
        self.cloud.client("iam").put_role_policy(
            RoleName="codedeploy", PolicyName="more", PolicyDocument=json.dumps(document)
        )


def statuses(target: dict[str, Any]) -> dict[str, str]:
    return {event["lifecycleEventName"]: event["status"] for event in target["lifecycleEvents"]}


def make_role(cloud: Cloud, name: str, service: str, *policies: str) -> str:
    iam = cloud.client("iam")
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
    arn = str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"])
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    return arn


def make_fleet(cloud: Cloud, **launch: Any) -> Fleet:
    """Everything but the Auto Scaling group and the deployment group; `launch` adds to the template."""
    role_arn = make_role(
        cloud, "codedeploy", ROLE_TRUST, "arn:aws:iam::aws:policy/service-role/AWSCodeDeployRole"
    )
    make_role(cloud, "app", "ec2.amazonaws.com")
    iam = cloud.client("iam")
    profile = iam.create_instance_profile(InstanceProfileName="app")["InstanceProfile"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName="app", RoleName="app")
    place = make_place(cloud)
    gateway = place.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    place.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=place.vpc_id)
    template = place.ec2.create_launch_template(
        LaunchTemplateName="app",
        LaunchTemplateData={
            "ImageId": place.image_id,
            "InstanceType": "t3.micro",
            "IamInstanceProfile": {"Arn": profile},
            "TagSpecifications": [
                {"ResourceType": "instance", "Tags": [{"Key": "gbg:deployment", "Value": "gbg"}]}
            ],
            **launch,
        },
    )["LaunchTemplate"]["LaunchTemplateId"]
    elbv2 = cloud.client("elbv2")
    balancer = elbv2.create_load_balancer(Name="front", Subnets=list(place.subnets))["LoadBalancers"][0]
    group = elbv2.create_target_group(
        Name="web", Protocol="HTTP", Port=8080, VpcId=place.vpc_id,
        HealthCheckIntervalSeconds=10, HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    elbv2.modify_target_group_attributes(
        TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]
    )
    elbv2.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )  # fmt: skip
    fleet = Fleet(cloud, Agents(cloud), place, role_arn, group, f"http://{balancer['DNSName']}", template)
    fleet.allow(*LAUNCH_RIGHTS)
    return fleet
