"""One release against the bare cost of the real work in it: 1.5 times at most.

Bare are the same commands one after the other, with no service around them: Maven on this host with a filled
repository, what the automation document runs as one shell script, for each instance another: Tomcat's start
as at boot, then the hooks. The scripts run in instances, for they need dnf and systemctl, and take their
time themselves.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from common import ROOT, Sandbox, eventually, sandbox, tell

from gbg_sandbox.maven.kept import HOME, KeptArtifacts
from gbg_sandbox.maven.upstream import open_repository
from gbg_sandbox.services.codebuild.environment import MAVEN_OPTS
from gbg_sandbox.services.codebuild.image import IN_PROCESS_TESTS

APPLICATION = ROOT / "gbg_lib/blueprint/part2"
PIPELINE = "gbg-release"
INSTANCES = 2
BEGIN = "begun=$(date +%s%N)\n"
TELL = """echo "took $(( ($(date +%s%N) - begun) / 1000000 )) ms" >&2\n"""
TOOK = re.compile(r"^took (\d+) ms$", re.MULTILINE)
UNPACK = """set -e
mkdir -p /root/bundle && cd /root/bundle
echo {bundle} | base64 -d > bundle.zip && python3 -m zipfile -e bundle.zip .
systemctl stop tomcat10
"""
BOOT = """systemctl start tomcat10
until curl -s -o /dev/null http://localhost:8080/; do sleep 0.02; done
"""
HOOKS = """export DEPLOYMENT_ID=benchmark
bash scripts/prepare.sh
install -o root -g tomcat -m 0640 ROOT.war /var/lib/tomcat10/webapps/
for hook in facts start validate; do bash scripts/$hook.sh; done
"""


class Release:
    """The second release of a deployment, and the parts it was made of."""

    def __init__(self, one: Sandbox) -> None:
        self.one = one
        one.gbg("up")
        self.pipeline, self.ssm = one.client("codepipeline"), one.client("ssm")
        self.deploy, self.ec2 = one.client("codedeploy"), one.client("ec2")
        one.gbg("run", "01", "02", "03", "04", "-p", "termination_wait_minutes=0")
        execution = self.pipeline.start_pipeline_execution(name=PIPELINE)["pipelineExecutionId"]
        eventually("the release", lambda: self._over(execution), seconds=240)
        found = self.pipeline.list_action_executions(
            pipelineName=PIPELINE, filter={"pipelineExecutionId": execution}
        )["actionExecutionDetails"]
        self.actions = {one["stageName"]: one for one in found if one["actionName"] == one["stageName"]}
        begun = min(action["startTime"] for action in found)
        self.seconds = (max(action["lastUpdateTime"] for action in found) - begun).total_seconds()

    def _over(self, execution: str) -> bool:
        status = self.pipeline.get_pipeline_execution(pipelineName=PIPELINE, pipelineExecutionId=execution)[
            "pipelineExecution"
        ]["status"]
        if status not in ("InProgress", "Succeeded"):
            raise RuntimeError(f"the release is {status}")
        return bool(status == "Succeeded")

    def stage(self, name: str) -> float:
        action = self.actions[name]
        seconds: float = (action["lastUpdateTime"] - action["startTime"]).total_seconds()
        return seconds

    def result(self, stage: str) -> dict[str, Any]:
        found: dict[str, Any] = self.actions[stage]["output"]
        return found

    def commands(self) -> str:
        """What the bake's runCommand steps ran, with every placeholder filled in."""
        bake = self.result("BuildGoldenAMI")["outputVariables"]["AutomationExecutionId"]
        steps = self.ssm.get_automation_execution(AutomationExecutionId=bake)["AutomationExecution"][
            "StepExecutions"
        ]
        ran = [step for step in steps if step["Action"] == "aws:runCommand"]
        scripts = [json.loads(step["Inputs"]["Parameters"])["commands"] for step in ran]
        return "\n".join(f"(\n{command}\n) || exit 1" for script in scripts for command in script)

    def bundle(self) -> bytes:
        deployment = self.result("Deploy")["executionResult"]["externalExecutionId"]
        found = self.deploy.get_deployment(deploymentId=deployment)["deploymentInfo"]
        place = found["revision"]["s3Location"]
        body = self.one.client("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"]
        content: bytes = body.read()
        return content

    def instance(self, image: str, profile: str) -> str:
        """An instance whose agent waits for commands."""
        template = self.ec2.describe_launch_templates()["LaunchTemplates"][0]["LaunchTemplateId"]
        subnet = self.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        made = self.ec2.run_instances(
            LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
            ImageId=image,
            SubnetId=subnet,
            UserData="#!/bin/bash\n",
            MinCount=1,
            MaxCount=1,
            **({"IamInstanceProfile": {"Name": profile}} if profile else {}),
        )
        instance: str = made["Instances"][0]["InstanceId"]
        wanted = [{"Key": "InstanceIds", "Values": [instance]}]

        def online() -> bool:
            found = self.ssm.describe_instance_information(Filters=wanted)["InstanceInformationList"]
            return bool(found and found[0]["PingStatus"] == "Online")

        eventually(f"agent of {instance}", online)
        return instance

    def run(self, instance: str, script: str) -> float:
        """Seconds that the script says it took."""
        command = self.ssm.send_command(
            InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters={"commands": [script]}
        )["Command"]["CommandId"]
        found: dict[str, Any] = {}

        def ended() -> bool:
            answer = self.ssm.list_command_invocations(CommandId=command, Details=True)
            found.update(answer["CommandInvocations"][0] if answer["CommandInvocations"] else {})
            return found.get("Status") not in (None, "Pending", "InProgress")

        eventually("the commands", ended)
        told = self.ssm.get_command_invocation(CommandId=command, InstanceId=instance)
        errors = told["StandardErrorContent"]
        if found["Status"] != "Success":
            raise RuntimeError(f"{told['StandardOutputContent'][-800:]}\n{errors[-800:]}")
        return int(TOOK.findall(errors)[-1]) / 1000


def maven() -> float:
    """`mvn package` of the application on this host, offline."""
    with tempfile.TemporaryDirectory(prefix="gbg-benchmark-") as folder:
        layers = KeptArtifacts(open_repository(Path(folder) / "fetched")).layer(lambda _: None)
        work, home = Path(folder) / "application", Path(folder) / "repository"
        shutil.copytree(APPLICATION, work, ignore=shutil.ignore_patterns("target"))
        shutil.copytree(layers[0] / HOME, home)
        for note in home.rglob("_remote.repositories"):
            note.unlink()
        settings = Path(folder) / "settings.xml"
        settings.write_text(f"<settings>{IN_PROCESS_TESTS}</settings>")
        begun = time.monotonic()
        subprocess.run(
            ["mvn", "-B", "-q", "-o", "-s", str(settings), f"-Dmaven.repo.local={home}", "package"],
            cwd=work,
            env={**os.environ, "MAVEN_OPTS": MAVEN_OPTS},
            check=True,
            timeout=120,
        )
        return time.monotonic() - begun


def main() -> None:
    with sandbox() as one:
        release = Release(one)
        image = release.result("BuildGoldenAMI")["outputVariables"]["ImageId"]
        source = one.client("ssm").get_parameter(Name="/gbg/source-ami")["Parameter"]["Value"]
        profiles = [
            found["InstanceProfileName"]
            for found in one.client("iam").list_instance_profiles()["InstanceProfiles"]
        ]
        builder = next(name for name in profiles if "uilder" in name)
        bake = release.run(release.instance(source, builder), BEGIN + release.commands() + "\n" + TELL)
        unpack = UNPACK.format(bundle=base64.b64encode(release.bundle()).decode())
        hooks = [
            release.run(release.instance(image, ""), unpack + BEGIN + BOOT + HOOKS + TELL)
            for _ in range(INSTANCES)
        ]
    built = maven()
    bare = built + bake + sum(hooks)
    rows = [
        {"part": "bake", "in the release": release.stage("BuildGoldenAMI"), "bare": bake},
        {"part": "build", "in the release": release.stage("Build"), "bare": built},
        {"part": "deploy", "in the release": release.stage("Deploy"), "bare": sum(hooks)},
        {"part": "whole", "in the release": release.seconds, "bare": bare},
    ]
    tell("one release, seconds", rows, ratio=release.seconds / bare, claim="<= 1.5")


if __name__ == "__main__":
    main()
