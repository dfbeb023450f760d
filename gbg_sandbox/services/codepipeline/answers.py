"""CodePipeline's operations that answer: jobs of Lambda functions, approvals, stage transitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gbg_sandbox.service import AwsError, Call, runs
from gbg_sandbox.services.codepipeline.actions.invoke import event
from gbg_sandbox.services.codepipeline.state import IN_PROGRESS, Pipelines, Transition

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud
    from gbg_sandbox.services.codepipeline.jobs import Jobs


class Answers:
    cloud: Cloud
    pipelines: Pipelines
    jobs: Jobs

    @runs
    def get_job_details(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        job = self.jobs.get(params["jobId"])
        told = event(job, self.cloud.account)
        told["data"]["actionTypeId"] = dict(job.run.action["actionTypeId"])
        told["data"]["pipelineContext"] = {
            "pipelineName": job.pipeline.name,
            "pipelineArn": job.pipeline.arn,
            "pipelineExecutionId": job.run.execution_id,
            "stage": {"name": job.run.stage},
            "action": {"name": job.run.name, "actionExecutionId": job.run.id},
        }
        for one in told["data"]["inputArtifacts"] + told["data"]["outputArtifacts"]:
            if one["revision"] is None:
                del one["revision"]
        return {"jobDetails": told}

    @runs
    def put_job_success_result(self, call: Call, params: dict[str, Any]) -> None:
        self.jobs.succeed(params["jobId"], params)

    @runs
    def put_job_failure_result(self, call: Call, params: dict[str, Any]) -> None:
        self.jobs.fail(params["jobId"], params["failureDetails"])

    @runs
    def put_approval_result(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        pipeline = self.pipelines.get(params["pipelineName"])
        stage = pipeline.stage(params["stageName"])
        if params["actionName"] not in [action["name"] for action in stage["actions"]]:
            raise AwsError(
                "ActionNotFoundException", f"Stage {stage['name']} has no action {params['actionName']}"
            )
        with pipeline.changed:
            run = pipeline.latest_actions.get((stage["name"], params["actionName"]))
            if run is None or not run.approval_token:
                code = "InvalidApprovalTokenException" if run is None else "ApprovalAlreadyCompletedException"
                raise AwsError(code, f"Action {params['actionName']} does not wait for an approval")
            if run.approval_token != params["token"]:
                raise AwsError("InvalidApprovalTokenException", "The approval token is not the current one")
            if run.approval is not None or run.status != IN_PROGRESS:
                raise AwsError("ApprovalAlreadyCompletedException", "The approval has been given already")
            run.updated_by = call.principal.arn
            run.approval = (params["result"]["status"], params["result"]["summary"])
        return {"approvedAt": self.cloud.clock.now()}

    @runs
    def disable_stage_transition(self, call: Call, params: dict[str, Any]) -> None:
        self._switch(call, params, Transition(False, params["reason"]))

    @runs
    def enable_stage_transition(self, call: Call, params: dict[str, Any]) -> None:
        self._switch(call, params, Transition(True))

    def _switch(self, call: Call, params: dict[str, Any], transition: Transition) -> None:
        if params["transitionType"] != "Inbound":
            raise AwsError(
                "ValidationException", "gbg_sandbox does not run outbound transitions; use Inbound"
            )
        pipeline = self.pipelines.get(params["pipelineName"])
        pipeline.stage(params["stageName"])
        transition.by, transition.at = call.principal.arn, self.cloud.clock.now()
        with pipeline.changed:
            pipeline.transitions[params["stageName"]] = transition
            pipeline.changed.notify_all()
