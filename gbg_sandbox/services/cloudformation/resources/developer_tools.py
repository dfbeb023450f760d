"""CodeCommit, CodeBuild and CodePipeline."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.services.cloudformation.resources.base import (
    Made,
    Properties,
    Provider,
    Task,
    changed,
    given,
    ignore_missing,
    names,
    tag_changes,
    tag_list,
    tag_map,
)
from gbg_sandbox.services.cloudformation.resources.shapes import to_api


class Repository(Provider):
    type = "AWS::CodeCommit::Repository"
    properties = names("RepositoryName", "RepositoryDescription", "KmsKeyId", "Tags")
    attributes = names("Arn", "Name", "CloneUrlHttp", "CloneUrlSsh", "RepositoryId")

    def create(self, task: Task, new: Properties) -> Made:
        wanted = given(
            new,
            repositoryName="RepositoryName",
            repositoryDescription="RepositoryDescription",
            kmsKeyId="KmsKeyId",
        )
        tags = {"tags": tag_map(new)} if tag_map(new) else {}
        found = task.client("codecommit").create_repository(**wanted, **tags)["repositoryMetadata"]
        return Made(
            found["repositoryId"],
            {
                "Arn": found["Arn"],
                "Name": found["repositoryName"],
                "CloneUrlHttp": found["cloneUrlHttp"],
                "CloneUrlSsh": found.get("cloneUrlSsh", ""),
                "RepositoryId": found["repositoryId"],
            },
        )

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        codecommit = task.client("codecommit")
        name = new["RepositoryName"]
        if changed(old, new, "RepositoryName"):
            codecommit.update_repository_name(oldName=old["RepositoryName"], newName=name)
        if changed(old, new, "RepositoryDescription"):
            text = new.get("RepositoryDescription", "")
            codecommit.update_repository_description(repositoryName=name, repositoryDescription=text)
        added, removed = tag_changes(old, new)
        if removed:
            codecommit.untag_resource(resourceArn=made.attributes["Arn"], tagKeys=removed)
        if added:
            codecommit.tag_resource(resourceArn=made.attributes["Arn"], tags=added)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("codecommit").delete_repository, repositoryName=old["RepositoryName"])


class Project(Provider):
    type = "AWS::CodeBuild::Project"
    properties = names(
        "Name", "Description", "ServiceRole", "Source", "SourceVersion", "Artifacts", "Environment", "Cache",
        "LogsConfig", "TimeoutInMinutes", "QueuedTimeoutInMinutes", "EncryptionKey", "VpcConfig",
        "ConcurrentBuildLimit", "AutoRetryLimit", "SecondarySources", "SecondaryArtifacts", "Tags",
    )  # fmt: skip
    attributes = names("Arn", "Id")
    name_property = "Name"

    def create(self, task: Task, new: Properties) -> Made:
        codebuild = task.client("codebuild")
        wanted = {**new, "Name": new.get("Name") or task.name(150), "Tags": tag_list(new)}
        project = codebuild.create_project(**to_api(codebuild, "CreateProject", wanted))["project"]
        return Made(project["name"], {"Arn": project["arn"], "Id": project["name"]})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        codebuild = task.client("codebuild")
        wanted = {**new, "Name": made.physical_id, "Tags": tag_list(new)}
        codebuild.update_project(**to_api(codebuild, "UpdateProject", wanted))
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("codebuild").delete_project, name=made.physical_id)


class Pipeline(Provider):
    type = "AWS::CodePipeline::Pipeline"
    structure = (
        "RoleArn", "ArtifactStore", "Stages", "PipelineType", "ExecutionMode", "Triggers", "Variables",
    )  # fmt: skip
    properties = names("Name", "RestartExecutionOnUpdate", "Tags", *structure)
    attributes = names("Version")
    volatile = names("Version")
    name_property = "Name"

    def create(self, task: Task, new: Properties) -> Made:
        codepipeline = task.client("codepipeline")
        name = new.get("Name") or task.name(100)
        wanted: dict[str, Any] = {"pipeline": self._pipeline(name, new)}
        if tag_list(new):
            wanted["tags"] = tag_list(new)
        made = codepipeline.create_pipeline(**to_api(codepipeline, "CreatePipeline", wanted))["pipeline"]
        return Made(name, {"Version": str(made["version"])})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        codepipeline = task.client("codepipeline")
        name = made.physical_id
        version = made.attributes["Version"]
        if changed(old, new, *self.structure):
            wanted = to_api(codepipeline, "UpdatePipeline", {"pipeline": self._pipeline(name, new)})
            version = str(codepipeline.update_pipeline(**wanted)["pipeline"]["version"])
        arn = task.cloud.arn("codepipeline", name)
        added, removed = tag_changes(old, new)
        if removed:
            codepipeline.untag_resource(resourceArn=arn, tagKeys=removed)
        if added:
            tags = [{"key": key, "value": value} for key, value in added.items()]
            codepipeline.tag_resource(resourceArn=arn, tags=tags)
        if new.get("RestartExecutionOnUpdate"):
            codepipeline.start_pipeline_execution(name=name)
        return Made(name, {"Version": version})

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("codepipeline").delete_pipeline, name=made.physical_id)

    def _pipeline(self, name: str, new: Properties) -> dict[str, Any]:
        return {"name": name, **given(new, *self.structure)}
