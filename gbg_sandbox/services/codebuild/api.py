"""CodeBuild's operations: projects and builds.

Refused by name at the gateway: report groups, batches, webhooks, fleets, sandboxes.
https://docs.aws.amazon.com/codebuild/latest/APIReference/
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError, Call, Principal, Service, runs, stored
from gbg_sandbox.services.codebuild import images, projects
from gbg_sandbox.services.codebuild.engine import ACTING, BuildRun
from gbg_sandbox.services.codebuild.environment import source_version
from gbg_sandbox.services.codebuild.network import BuildNetwork
from gbg_sandbox.services.codebuild.state import Build, Handover, Input, Output, Project, Records

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

PAGE = 100
OVERRIDES = {
    "buildspecOverride": ("source", "buildspec"),
    "sourceTypeOverride": ("source", "type"),
    "sourceLocationOverride": ("source", "location"),
    "computeTypeOverride": ("environment", "computeType"),
    "imageOverride": ("environment", "image"),
    "environmentTypeOverride": ("environment", "type"),
    "artifactsOverride": ("artifacts",),
    "cacheOverride": ("cache",),
    "logsConfigOverride": ("logsConfig",),
    "serviceRoleOverride": ("serviceRole",),
    "timeoutInMinutesOverride": ("timeoutInMinutes",),
    "queuedTimeoutInMinutesOverride": ("queuedTimeoutInMinutes",),
    "encryptionKeyOverride": ("encryptionKey",),
}
PLAIN = {"projectName", "sourceVersion", "environmentVariablesOverride", "idempotencyToken"}


class CodeBuild(Service):
    name = "codebuild"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.records = Records()
        self.network = BuildNetwork(cloud)
        self._handovers: dict[str, Handover] = {}
        self._running: dict[str, BuildRun] = {}
        self._lock = threading.Lock()

    def stop(self) -> None:
        for run in list(self._running.values()):
            run.stop()
        self.network.close()

    def tagged_resources(self) -> dict[str, dict[str, str]]:
        return {
            one.arn: {tag["key"]: tag["value"] for tag in one.settings.get("tags", [])}
            for one in self.records.projects()
        }

    def project_arn(self, name: str) -> str:
        return self.cloud.arn("codebuild", f"project/{name}")

    def cache_file(self, project: str) -> Path:
        return self.cloud.state_dir / "codebuild" / "cache" / f"{project}.tar"

    def close_mirror(self, build: str) -> None:
        self.network.close_build(build)

    def hand_over(self, token: str, handover: Handover) -> None:
        """From CodePipeline, before its StartBuild with the same idempotencyToken."""
        with self._lock:
            self._handovers[token] = handover

    # -- projects

    @runs
    def create_project(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        name = params.pop("name")
        projects.check_name(name)
        settings = projects.complete(params, self.cloud.account, self.cloud.region)
        self._check_role(settings["serviceRole"], name)
        project = Project(name, self.project_arn(name), settings)
        self.records.add_project(project)
        return {"project": project.told()}

    @runs
    def update_project(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        project = self.records.project(params.pop("name"))
        settings = projects.complete({**project.settings, **params}, self.cloud.account, self.cloud.region)
        self._check_role(settings["serviceRole"], project.name)
        project.settings = settings
        project.modified = self.cloud.clock.now()
        return {"project": project.told()}

    @runs
    def delete_project(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        self.records.delete_project(params["name"])
        self.cache_file(params["name"]).unlink(missing_ok=True)
        return {}

    @runs
    def batch_get_projects(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        found = {name: self.records.find_project(name) for name in params["names"]}
        return {
            "projects": [project.told() for project in found.values() if project],
            "projectsNotFound": [name for name, project in found.items() if project is None],
        }

    @runs
    def list_projects(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        key = {"CREATED_TIME": "created", "LAST_MODIFIED_TIME": "modified"}.get(
            params.get("sortBy", ""), "name"
        )
        found = sorted(self.records.projects(), key=lambda one: str(getattr(one, key)))
        if params.get("sortOrder") == "DESCENDING":
            found.reverse()
        chosen, token = _page([one.name for one in found], params)
        return {"projects": chosen, **token}

    @stored
    def list_curated_environment_images(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return {"platforms": images.curated()}

    # -- builds

    @runs
    def start_build(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        token = params.get("idempotencyToken", "")
        earlier = self.records.build_of_token(token) if token else None
        if earlier is not None:
            return {"build": self._told(earlier)}
        build = self._make(params, call.principal)
        self.records.add_build(build, token)
        run = BuildRun(self, build)
        self._running[build.id] = run
        self.cloud.spawn(f"build {build.id}", self._perform, build, run)
        return {"build": self._told(build)}

    @runs
    def retry_build(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        build = self._build(params.get("id", ""))
        if build.settings["source"]["type"] == "CODEPIPELINE":
            raise AwsError(
                "InvalidInputException", "A build that CodePipeline started is retried from its pipeline"
            )
        again = {**build.request, "projectName": build.project}
        return self.start_build(call, {**again, "idempotencyToken": params.get("idempotencyToken", "")})

    @runs
    def stop_build(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        build = self._build(params["id"])
        run = self._running.get(build.id)
        if run is None:
            raise AwsError("InvalidInputException", f"Build {build.id} has already completed")
        run.stop()
        return {"build": self._told(build)}

    @runs
    def batch_get_builds(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        found = {one: self.records.find_build(one) for one in params["ids"]}
        return {
            "builds": [self._told(build) for build in found.values() if build],
            "buildsNotFound": [one for one, build in found.items() if build is None],
        }

    @runs
    def list_builds(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return self._list(params, "")

    @runs
    def list_builds_for_project(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return self._list(params, self.records.project(params["projectName"]).name)

    def _list(self, params: dict[str, Any], project: str) -> dict[str, Any]:
        ids = [build.id for build in self.records.builds(project)]
        if params.get("sortOrder", "DESCENDING") == "DESCENDING":
            ids.reverse()
        chosen, token = _page(ids, params)
        return {"ids": chosen, **token}

    def _perform(self, build: Build, run: BuildRun) -> None:
        try:
            run.run()
        finally:
            self._running.pop(build.id, None)

    def _build(self, id_or_arn: str) -> Build:
        build = self.records.find_build(id_or_arn)
        if build is None:
            raise AwsError("ResourceNotFoundException", f"Build {id_or_arn} does not exist")
        return build

    def _check_role(self, role: str, project: str) -> None:
        try:
            self.cloud.assume(role, acting=ACTING, session="check", source_arn=self.project_arn(project))
        except ClientError as error:
            raise AwsError(
                "InvalidInputException",
                "CodeBuild is not authorized to perform: sts:AssumeRole on service role. Please verify "
                "that: 1) The provided service role exists, 2) The role name is case-sensitive and matches "
                f"exactly, and 3) The role has the necessary trust policy configured: {role}",
            ) from error

    def _make(self, params: dict[str, Any], principal: Principal) -> Build:
        project = self.records.project(params["projectName"])
        with self._lock:
            handover = self._handovers.pop(params.get("idempotencyToken", ""), None)
        settings = self._overridden(project, params)
        inputs, outputs = _from_pipeline(handover) if handover else self._own(settings, params)
        if handover and handover.kms_key:
            settings["encryptionKey"] = handover.kms_key
        number, build_id = self.records.number_build(project)
        return Build(
            id=build_id,
            arn=self.cloud.arn("codebuild", f"build/{build_id}"),
            number=number,
            project=project.name,
            settings=settings,
            initiator=f"codepipeline/{handover.pipeline}" if handover else _initiator(principal),
            inputs=inputs,
            outputs=tuple(_named(output, build_id) for output in outputs),
            request={key: value for key, value in params.items() if key != "idempotencyToken"},
            resolved_version=handover.revision if handover else "",
        )

    def _overridden(self, project: Project, params: dict[str, Any]) -> dict[str, Any]:
        settings = copy.deepcopy(project.settings)
        for key, value in params.items():
            if key in OVERRIDES:
                target = settings
                *path, last = OVERRIDES[key]
                for step in path:
                    target = target[step]
                target[last] = value
            elif key not in PLAIN and value not in (False, None, []):
                raise AwsError("InvalidInputException", f"gbg_sandbox does not run StartBuild with {key}")
        variables = {one["name"]: one for one in settings["environment"]["environmentVariables"]}
        variables |= {one["name"]: one for one in params.get("environmentVariablesOverride", [])}
        settings["environment"]["environmentVariables"] = list(variables.values())
        return projects.complete(settings, self.cloud.account, self.cloud.region)

    def _own(
        self, settings: dict[str, Any], params: dict[str, Any]
    ) -> tuple[tuple[Input, ...], tuple[Output, ...]]:
        source, artifacts = settings["source"], settings["artifacts"]
        if source["type"] == "CODEPIPELINE":
            raise AwsError(
                "InvalidInputException",
                "A project with source type CODEPIPELINE is started by its pipeline; "
                "use sourceTypeOverride and artifactsOverride to start it otherwise",
            )
        version = params.get("sourceVersion") or settings.get("sourceVersion", "")
        inputs = (Input(source["type"], source.get("location", ""), version),)
        if artifacts["type"] == "NO_ARTIFACTS":
            return inputs, (Output("NO_ARTIFACTS"),)
        bucket = artifacts["location"].removeprefix("arn:aws:s3:::").rstrip("/")
        output = Output(
            "S3",
            bucket=bucket,
            key=_object_key(artifacts, params["projectName"].rpartition("/")[2]),
            packaging=artifacts.get("packaging", "NONE"),
            encrypted=not artifacts.get("encryptionDisabled", False),
        )
        return inputs, (output,)

    def _told(self, build: Build) -> dict[str, Any]:
        """The API's Build."""
        settings = build.settings
        told: dict[str, Any] = {
            "id": build.id,
            "arn": build.arn,
            "buildNumber": build.number,
            "startTime": build.started,
            "currentPhase": build.current_phase,
            "buildStatus": build.status,
            "projectName": build.project,
            "phases": [phase.told() for phase in list(build.phases)],
            "buildComplete": build.complete,
            "initiator": build.initiator,
            "exportedEnvironmentVariables": list(build.exported),
            **{
                key: settings[key]
                for key in ("source", "environment", "serviceRole", "cache", "encryptionKey")
            },
            "timeoutInMinutes": settings["timeoutInMinutes"],
            "queuedTimeoutInMinutes": settings["queuedTimeoutInMinutes"],
            "artifacts": build.artifacts[0] if build.artifacts else {"location": ""},
            "secondaryArtifacts": build.artifacts[1:],
            "logs": self._logs(build),
        }
        optional = {
            "endTime": build.ended,
            "sourceVersion": source_version(build),
            "resolvedSourceVersion": build.resolved_version,
        }
        return told | {key: value for key, value in optional.items() if value}

    def _logs(self, build: Build) -> dict[str, Any]:
        if not build.log_group:
            return {}
        group = self.cloud.arn("logs", f"log-group:{build.log_group}")
        return {
            "groupName": build.log_group,
            "streamName": build.log_stream,
            "cloudWatchLogsArn": f"{group}:log-stream:{build.log_stream}",
            "cloudWatchLogs": {"status": "ENABLED"},
        }


def _from_pipeline(handover: Handover) -> tuple[tuple[Input, ...], tuple[Output, ...]]:
    return handover.inputs, handover.outputs


def _initiator(principal: Principal) -> str:
    if principal.kind == "user":
        return principal.user_name
    if principal.kind == "role":
        return f"{principal.role_name}/{principal.session_name}"
    return principal.kind


def _object_key(artifacts: dict[str, Any], project: str) -> str:
    """See API_ProjectArtifacts in the API reference; `{build}` stands for the build's id."""
    parts = [artifacts.get("path", "").strip("/")]
    if artifacts.get("namespaceType") == "BUILD_ID":
        parts.append("{build}")
    name = artifacts.get("name") or project
    parts.append("" if name == "/" else name.strip("/"))
    return "/".join(part for part in parts if part)


def _named(output: Output, build_id: str) -> Output:
    if "{build}" not in output.key:
        return output
    return Output(**{**output.__dict__, "key": output.key.replace("{build}", build_id.partition(":")[2])})


def _page(found: Sequence[str], params: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    token = params.get("nextToken") or "0"
    if not token.isdigit():
        raise AwsError("InvalidInputException", "Invalid nextToken")
    start = int(token)
    more = {"nextToken": str(start + PAGE)} if start + PAGE < len(found) else {}
    return list(found[start : start + PAGE]), more


SERVICE = CodeBuild
