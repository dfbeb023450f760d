"""CodePipeline's operations on pipelines and executions; jobs and approvals in answers.py.

Refused by name at the gateway: custom actions, third-party jobs, PollForJobs, AcknowledgeJob, webhooks.
https://docs.aws.amazon.com/codepipeline/latest/APIReference/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError, Call, Principal, Service, runs, stored
from gbg_sandbox.services.codepipeline import notices, structure, views
from gbg_sandbox.services.codepipeline.actions.context import ACTING
from gbg_sandbox.services.codepipeline.answers import Answers
from gbg_sandbox.services.codepipeline.engine import ExecutionRun
from gbg_sandbox.services.codepipeline.jobs import Jobs
from gbg_sandbox.services.codepipeline.state import (
    FAILED,
    IN_PROGRESS,
    ROLLBACK,
    STANDARD,
    STOPPED,
    STOPPING,
    SUCCEEDED,
    Execution,
    Pipeline,
    Pipelines,
    Trigger,
)

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

LONGEST_QUEUE = 50
PAGE = 100


class CodePipeline(Answers, Service):
    name = "codepipeline"
    reply_real_seconds = 20.0
    """the least real time that a Lambda function has for each answer"""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.pipelines = Pipelines(cloud.account)
        self.jobs = Jobs()

    def updated_by(self, execution: Execution) -> str:
        """Who stands behind an action's run in ListActionExecutions."""
        return execution.trigger.detail

    # -- pipelines

    @runs
    def create_pipeline(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        declaration = self._checked(params["pipeline"])
        name = declaration["name"]
        tags = {tag["key"]: tag["value"] for tag in params.get("tags", [])}
        pipeline = Pipeline(name, self.cloud.arn("codepipeline", name), [declaration], tags)
        self.pipelines.add(pipeline)
        self._launch(pipeline, Trigger("CreatePipeline", call.principal.arn))
        told = {"pipeline": pipeline.told(1)}
        return told | ({"tags": params["tags"]} if tags else {})

    @runs
    def update_pipeline(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        pipeline = self.pipelines.get(params["pipeline"]["name"])
        declaration = self._checked(params["pipeline"])
        with pipeline.changed:
            pipeline.declarations.append(declaration)
            pipeline.updated = self.cloud.clock.now()
            return {"pipeline": pipeline.told(pipeline.version)}

    @runs
    def delete_pipeline(self, call: Call, params: dict[str, Any]) -> None:
        pipeline = self.pipelines.remove(params["name"])
        if pipeline is not None:
            for execution in list(pipeline.executions.values()):
                execution.stop.set()
                execution.abandon.set()

    @runs
    def get_pipeline(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        pipeline = self.pipelines.get(params["name"])
        version = params.get("version", pipeline.version)
        if not 1 <= version <= pipeline.version:
            raise AwsError(
                "PipelineVersionNotFoundException", f"Pipeline {pipeline.name} has no version {version}"
            )
        metadata = {"pipelineArn": pipeline.arn, "created": pipeline.created, "updated": pipeline.updated}
        return {"pipeline": pipeline.told(version), "metadata": metadata}

    @runs
    def list_pipelines(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        chosen, token = _page(self.pipelines.all(), params)
        listed = [
            {
                "name": pipeline.name,
                "version": pipeline.version,
                "pipelineType": pipeline.declaration["pipelineType"],
                "executionMode": pipeline.declaration["executionMode"],
                "created": pipeline.created,
                "updated": pipeline.updated,
            }
            for pipeline in chosen
        ]
        return {"pipelines": listed, **token}

    @stored
    def list_tags_for_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        tags = self.pipelines.by_arn(params["resourceArn"]).tags
        return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}

    @stored
    def tag_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        tags = self.pipelines.by_arn(params["resourceArn"]).tags
        tags.update({tag["key"]: tag["value"] for tag in params["tags"]})
        return {}

    @stored
    def untag_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        tags = self.pipelines.by_arn(params["resourceArn"]).tags
        for key in params["tagKeys"]:
            tags.pop(key, None)
        return {}

    def tagged_resources(self) -> dict[str, dict[str, str]]:
        return {one.arn: dict(one.tags) for one in self.pipelines.all()}

    # -- executions

    @runs
    def start_pipeline_execution(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        pipeline = self.pipelines.get(params["name"])
        token = params.get("clientRequestToken", "")
        with pipeline.changed:
            if token and token in pipeline.tokens:
                return {"pipelineExecutionId": pipeline.tokens[token]}
        overrides = {one["actionName"]: one for one in params.get("sourceRevisions", [])}
        _check_overrides(pipeline, overrides)
        execution = self._launch(
            pipeline,
            self._trigger(call.principal),
            variables={one["name"]: one["value"] for one in params.get("variables", [])},
            overrides=overrides,
        )
        with pipeline.changed:
            if token:
                pipeline.tokens[token] = execution.id
        return {"pipelineExecutionId": execution.id}

    @runs
    def stop_pipeline_execution(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        pipeline = self.pipelines.get(params["pipelineName"])
        with pipeline.changed:
            execution = pipeline.executions.get(params["pipelineExecutionId"])
            if execution is None or execution.status not in (IN_PROGRESS, STOPPING):
                raise AwsError(
                    "PipelineExecutionNotStoppableException",
                    f"Execution {params['pipelineExecutionId']} of {pipeline.name} is not in progress",
                )
            abandon = params.get("abandon", False)
            if execution.stop.is_set() and (not abandon or execution.abandon.is_set()):
                raise AwsError(
                    "DuplicatedStopRequestException", f"Execution {execution.id} is being stopped already"
                )
            execution.status = STOPPING
            execution.stop_reason = params.get("reason", "")
            execution.stop.set()
            if abandon:
                execution.abandon.set()
            pipeline.changed.notify_all()
        notices.execution_changed(self.cloud, execution)
        return {"pipelineExecutionId": execution.id}

    @runs
    def retry_stage_execution(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        pipeline = self.pipelines.get(params["pipelineName"])
        stage = params["stageName"]
        pipeline.stage(stage)
        with pipeline.changed:
            execution = pipeline.execution(params["pipelineExecutionId"])
            run = execution.stages.get(stage)
            if pipeline.latest_in_stage.get(stage) != execution.id:
                raise AwsError(
                    "NotLatestPipelineExecutionException",
                    f"Execution {execution.id} is not the latest in stage {stage}; only that can be retried",
                )
            if run is None or run.status not in (FAILED, STOPPED):
                raise AwsError("StageNotRetryableException", f"Stage {stage} has no failed action to retry")
            if execution.status in (IN_PROGRESS, STOPPING):
                raise AwsError("StageNotRetryableException", f"Execution {execution.id} is in progress")
            run.manual_retries += 1
            run.last_retry = "ManualStageRetry"
            execution.status, execution.stop_reason = IN_PROGRESS, ""
            execution.attempt += 1
            execution.stop.clear()
            execution.abandon.clear()
        self._walk(pipeline, execution, stage, params["retryMode"])
        return {"pipelineExecutionId": execution.id}

    @runs
    def rollback_stage(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        pipeline = self.pipelines.get(params["pipelineName"])
        name = params["stageName"]
        stage = pipeline.stage(name)
        target = pipeline.execution(params["targetPipelineExecutionId"])
        run = target.stages.get(name)
        if target.version != pipeline.version:
            raise AwsError(
                "PipelineExecutionOutdatedException",
                f"Execution {target.id} ran version {target.version}, the pipeline is at {pipeline.version}",
            )
        reason = ""
        if stage is pipeline.declaration["stages"][0]:
            reason = "a source stage can't be rolled back"
        elif pipeline.declaration["executionMode"] == "PARALLEL":
            reason = "a pipeline in PARALLEL mode can't be rolled back"
        elif target.type == ROLLBACK:
            reason = f"execution {target.id} was a rollback itself"
        elif run is None or run.status != SUCCEEDED:
            reason = f"execution {target.id} did not succeed in stage {name}"
        if reason:
            raise AwsError("UnableToRollbackStageException", f"Unable to roll back stage {name}: {reason}")
        execution = self.roll_back(pipeline, name, target, Trigger("ManualRollback", call.principal.arn))
        return {"pipelineExecutionId": execution.id}

    @runs
    def get_pipeline_execution(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        pipeline = self.pipelines.get(params["pipelineName"])
        with pipeline.changed:
            return {"pipelineExecution": views.execution(pipeline.execution(params["pipelineExecutionId"]))}

    @runs
    def list_pipeline_executions(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        pipeline = self.pipelines.get(params["pipelineName"])
        stage = params.get("filter", {}).get("succeededInStage", {}).get("stageName")
        with pipeline.changed:
            found = [
                views.execution_summary(one)
                for one in reversed(list(pipeline.executions.values()))
                if not stage or (stage in one.stages and one.stages[stage].status == SUCCEEDED)
            ]
        chosen, token = _page(found, params)
        return {"pipelineExecutionSummaries": chosen, **token}

    @runs
    def list_action_executions(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        pipeline = self.pipelines.get(params["pipelineName"])
        wanted = params.get("filter", {})
        latest = wanted.get("latestInPipelineExecution")
        only = latest["pipelineExecutionId"] if latest else wanted.get("pipelineExecutionId")
        with pipeline.changed:
            executions = [pipeline.execution(only)] if only else list(pipeline.executions.values())
            found = [run for execution in executions for run in execution.actions]
            if latest and latest["startTimeRange"] == "Latest":
                found = list({(run.stage, run.name): run for run in found}.values())
            found.sort(key=lambda run: run.started, reverse=True)
            details = [views.action_detail(run) for run in found]
        chosen, token = _page(details, params)
        return {"actionExecutionDetails": chosen, **token}

    @runs
    def get_pipeline_state(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        pipeline = self.pipelines.get(params["name"])
        with pipeline.changed:
            return {
                "pipelineName": pipeline.name,
                "pipelineVersion": pipeline.version,
                "stageStates": [
                    views.stage_state(pipeline, stage) for stage in pipeline.declaration["stages"]
                ],
                "created": pipeline.created,
                "updated": pipeline.updated,
            }

    # -- for the engine

    def roll_back(self, pipeline: Pipeline, stage: str, target: Execution, trigger: Trigger) -> Execution:
        """A new execution of one stage with the artifacts and variables of an earlier one."""
        execution = Execution(
            pipeline.name,
            target.version,
            target.declaration,
            trigger,
            variables=dict(target.variables),
            type=ROLLBACK,
            rollback_target=target.id,
            only_stage=stage,
            revisions=list(target.revisions),
            artifacts=dict(target.artifacts),
            namespaces={name: dict(values) for name, values in target.namespaces.items()},
        )
        self._begin(pipeline, execution)
        return execution

    def _launch(
        self,
        pipeline: Pipeline,
        trigger: Trigger,
        *,
        variables: dict[str, str] | None = None,
        overrides: dict[str, dict[str, str]] | None = None,
    ) -> Execution:
        execution = Execution(
            pipeline.name,
            pipeline.version,
            pipeline.declaration,
            trigger,
            variables=_variables(pipeline.declaration, variables or {}),
            source_overrides=overrides or {},
            type=STANDARD,
        )
        self._begin(pipeline, execution)
        return execution

    def _begin(self, pipeline: Pipeline, execution: Execution) -> None:
        with pipeline.changed:
            running = sum(one.status in (IN_PROGRESS, STOPPING) for one in pipeline.executions.values())
            if running >= LONGEST_QUEUE:
                raise AwsError(
                    "ConcurrentPipelineExecutionsLimitExceededException",
                    f"Pipeline {pipeline.name} has {running} executions in progress, the most it may",
                )
            pipeline.executions[execution.id] = execution
        self._walk(pipeline, execution)

    def _walk(self, pipeline: Pipeline, execution: Execution, stage: str = "", retry_mode: str = "") -> None:
        run = ExecutionRun(self, pipeline, execution)
        self.cloud.spawn(f"pipeline {pipeline.name} {execution.id}", run.run, stage, retry_mode)

    def _trigger(self, principal: Principal) -> Trigger:
        if principal.service == "events.amazonaws.com":
            rule = self.cloud.arn("events", f"rule/{principal.session_name}")
            return Trigger("CloudWatchEvent", rule)
        return Trigger("StartPipelineExecution", principal.arn)

    def _checked(self, declaration: dict[str, Any]) -> dict[str, Any]:
        declaration.pop("version", None)
        structure.complete(declaration, self.cloud.region)
        role = declaration["roleArn"]
        try:
            arn = self.cloud.arn("codepipeline", declaration["name"])
            self.cloud.assume(role, acting=ACTING, session="check", source_arn=arn)
        except ClientError as error:
            raise AwsError(
                "InvalidStructureException",
                f"CodePipeline is not authorized to perform AssumeRole on role {role}",
            ) from error
        return declaration


def _variables(declaration: dict[str, Any], given: dict[str, str]) -> dict[str, str]:
    """The pipeline's variables: what was given, else the default. Raises AwsError."""
    declared = {one["name"]: one.get("defaultValue") for one in declaration.get("variables", [])}
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise AwsError(
            "ValidationException",
            f"The pipeline has no variable {unknown[0]}; it has {', '.join(declared) or 'none'}",
        )
    values = {name: given.get(name, default) for name, default in declared.items()}
    missing = sorted(name for name, value in values.items() if value is None)
    if missing:
        raise AwsError("ValidationException", f"The variable {missing[0]} has no default and was not given")
    return {name: str(value) for name, value in values.items()}


def _check_overrides(pipeline: Pipeline, overrides: dict[str, dict[str, str]]) -> None:
    providers = {
        action["name"]: action["actionTypeId"]["provider"]
        for action in pipeline.declaration["stages"][0]["actions"]
    }
    kinds = {"CodeCommit": "COMMIT_ID", "S3": "S3_OBJECT_VERSION_ID"}
    for name, override in overrides.items():
        if name not in providers:
            raise AwsError("ValidationException", f"Pipeline {pipeline.name} has no source action {name}")
        if override["revisionType"] != kinds[providers[name]]:
            raise AwsError(
                "ValidationException",
                f"Source action {name} takes revisions of type {kinds[providers[name]]}, "
                f"not {override['revisionType']}",
            )


def _page(found: Sequence[Any], params: dict[str, Any]) -> tuple[Sequence[Any], dict[str, str]]:
    token = params.get("nextToken") or "0"
    if not token.isdigit():
        raise AwsError("InvalidNextTokenException", "The next token is not valid")
    start, size = int(token), params.get("maxResults", PAGE)
    more = {"nextToken": str(start + size)} if start + size < len(found) else {}
    return found[start : start + size], more


SERVICE = CodePipeline
