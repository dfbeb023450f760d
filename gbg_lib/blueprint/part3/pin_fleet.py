"""CodePipeline action: pin the fleet to this release's image, right before CodeDeploy copies it.

Not earlier: whatever the fleet launched meanwhile would have this image and the former application. It is the
first action of stage Deploy, so that a stage which is tried again, or rolled back to an earlier release, pins
the image that belongs to it.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

log = logging.getLogger()
log.setLevel(logging.INFO)

REVOKED, PARENT = "gbg:revoked", "gbg:source-ami"


class PinRefused(Exception):
    """The fleet stays as it is; says why."""


@dataclass(frozen=True)
class Release:
    """What the pipeline says of the release whose image it is."""

    release: str
    """the pipeline execution that deploys: a stage rollback has an id of its own"""
    bake: str
    image: str


class Fleet:
    """The group that serves now: what the deployment group names, not what a template once made."""

    def __init__(self, codedeploy: Any, autoscaling: Any, ec2: Any, application: str, name: str) -> None:
        self.codedeploy = codedeploy
        self.autoscaling = autoscaling
        self.ec2 = ec2
        self.application = application
        self.name = name

    def pin(self, release: Release) -> dict[str, str]:
        """Write a template version with the image, once, and pin the group to it, unless it is already.

        All but the image is as Part 1 last wrote it, so that what its stack says of launches arrives with a
        release. Raises PinRefused.
        """
        self._require_image(release.image)
        group = self._group()
        name, template = group["AutoScalingGroupName"], group["LaunchTemplate"]["LaunchTemplateId"]
        current = group["LaunchTemplate"].get("Version", "none")
        if not current.isdecimal():
            raise PinRefused(f"{name} is on version {current}; pin it to a numbered one")
        versions = self._versions(template)
        version, made = current, versions.get(int(current), {})
        if made.get("bake") != release.bake:
            version, made = self._own(versions, name, release) or self._write(
                template, versions, name, current, release
            )
            if made["former"] != current:
                raise PinRefused(
                    f"version {version} follows {made['former']} of {name}, which is on {current}"
                )
            self.autoscaling.update_auto_scaling_group(
                AutoScalingGroupName=name,
                LaunchTemplate={"LaunchTemplateId": template, "Version": version},
            )
        return {
            "LaunchTemplateId": template,
            "LaunchTemplateVersion": version,
            "FormerLaunchTemplateVersion": made["former"],
            "AutoScalingGroupName": name,
        }

    def _require_image(self, image: str) -> None:
        """A mark doesn't reach what is being baked: it is looked for on what the image came from, too."""
        told = self._image(image)
        state = told.get("State", "not there")
        if state != "available":
            raise PinRefused(f"image {image} is {state}")
        line = [image]
        while told:
            tags = {tag["Key"]: tag["Value"] for tag in told.get("Tags", [])}
            if REVOKED in tags:
                made_from = ", made from ".join(line)
                raise PinRefused(f"image {made_from} is revoked: {tags[REVOKED]}; release anew")
            parent = tags.get(PARENT, "")
            if parent in ("", *line):
                return
            line.append(parent)
            told = self._image(parent)

    def _image(self, image: str) -> dict[str, Any]:
        """Empty for one that is gone. Deprecated ones and disabled ones still tell their tags."""
        found = self.ec2.describe_images(
            Filters=[{"Name": "image-id", "Values": [image]}], IncludeDeprecated=True, IncludeDisabled=True
        )["Images"]
        return dict(found[0]) if found else {}

    def _group(self) -> dict[str, Any]:
        answer = self.codedeploy.get_deployment_group(
            applicationName=self.application, deploymentGroupName=self.name
        )
        names = [group["name"] for group in answer["deploymentGroupInfo"].get("autoScalingGroups", [])]
        if len(names) != 1:
            raise PinRefused(f"{self.name} has {len(names)} Auto Scaling groups; a release needs exactly one")
        found = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=names)[
            "AutoScalingGroups"
        ]
        if not found or "LaunchTemplate" not in found[0]:
            raise PinRefused(f"{names[0]} is gone or has no launch template of its own")
        return dict(found[0])

    def _versions(self, template: str) -> dict[int, dict[str, str]]:
        """A template's versions, and what a release wrote into each; empty for Part 1's own."""
        pages = self.ec2.get_paginator("describe_launch_template_versions").paginate(
            LaunchTemplateId=template
        )
        return {
            version["VersionNumber"]: made_by(version.get("VersionDescription", ""))
            for page in pages
            for version in page["LaunchTemplateVersions"]
        }

    @staticmethod
    def _own(
        versions: Mapping[int, dict[str, str]], group: str, release: Release
    ) -> tuple[str, dict[str, str]] | None:
        """The version that this release wrote for this group before, when a stage is tried again."""
        wanted = {"release": release.release, "bake": release.bake, "group": group}
        own = [number for number, made in versions.items() if made | wanted == made]
        return (str(max(own)), versions[max(own)]) if own else None

    def _write(
        self,
        template: str,
        versions: Mapping[int, dict[str, str]],
        group: str,
        current: str,
        release: Release,
    ) -> tuple[str, dict[str, str]]:
        made = {"release": release.release, "bake": release.bake, "group": group, "former": current}
        told = json.dumps(made, separators=(",", ":"))
        source = str(max((number for number, others in versions.items() if not others), default=current))
        answer = self.ec2.create_launch_template_version(
            LaunchTemplateId=template,
            SourceVersion=source,
            ClientToken=str(uuid.uuid5(uuid.NAMESPACE_OID, told)),
            VersionDescription=told,
            LaunchTemplateData={"ImageId": release.image},
        )
        return str(answer["LaunchTemplateVersion"]["VersionNumber"]), made


def made_by(description: str) -> dict[str, str]:
    """What `Fleet` wrote into a version's description; empty for a version that something else made."""
    try:
        made = json.loads(description)
    except ValueError:
        return {}
    return made if isinstance(made, dict) else {}


def run(job: Mapping[str, Any], codepipeline: Any, prepare: Callable[[], Fleet]) -> None:
    """Pin and report. The event holds credentials: nothing of it but the job's id is logged."""
    try:
        given = json.loads(job["data"]["actionConfiguration"]["configuration"]["UserParameters"])
        variables = prepare().pin(Release(given["release"], given["bake"], given["image"]))
        told = "{AutoScalingGroupName} is on version {LaunchTemplateVersion}".format_map(variables)
        codepipeline.put_job_success_result(
            jobId=job["id"], outputVariables=variables, executionDetails={"summary": told}
        )
        log.info("job %s: %s", job["id"], told)
    except codepipeline.exceptions.InvalidJobStateException:
        log.warning("job %s has its answer already", job["id"])
    except Exception as error:
        log.exception("job %s failed", job["id"])
        report_failure(job["id"], codepipeline, error)


def report_failure(job_id: str, codepipeline: Any, error: Exception) -> None:
    denied = isinstance(error, ClientError) and "AccessDenied" in error.response["Error"]["Code"]
    details = {
        "type": "PermissionError" if denied else "JobFailed",
        "message": f"{type(error).__name__}: {error}"[:5000],
    }
    try:
        codepipeline.put_job_failure_result(jobId=job_id, failureDetails=details)
    except codepipeline.exceptions.InvalidJobStateException:
        log.warning("job %s has its answer already", job_id)


@cache
def client(service: Literal["codepipeline", "codedeploy", "autoscaling", "ec2"]) -> Any:
    """Made once an environment: making one takes longer than most calls."""
    return boto3.client(service, config=Config(retries={"mode": "adaptive", "max_attempts": 8}))


def handler(event: Mapping[str, Any], context: Any) -> None:
    def prepare() -> Fleet:
        codedeploy, autoscaling, ec2 = client("codedeploy"), client("autoscaling"), client("ec2")
        return Fleet(codedeploy, autoscaling, ec2, os.environ["APPLICATION"], os.environ["DEPLOYMENT_GROUP"])

    run(event["CodePipeline.job"], client("codepipeline"), prepare)
