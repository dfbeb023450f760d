"""Deployments and their targets."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.service import AwsError, Call, modelled, runs
from gbg_sandbox.services.codedeploy import answers, validation
from gbg_sandbox.services.codedeploy.base import page
from gbg_sandbox.services.codedeploy.groups_api import Groups
from gbg_sandbox.services.codedeploy.state import Deployment, Group, Halt, Target

MOST_TARGETS = 25
WAITS = ("READY_WAIT", "TERMINATION_WAIT")


class Deployments(Groups):
    @runs
    def create_deployment(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        self._refuse(params)
        with self.registry.lock:
            application = self.registry.application(params["applicationName"])
            if not params.get("deploymentGroupName"):
                raise AwsError(
                    "DeploymentGroupNameRequiredException", "The deployment group name was not specified."
                )
            group = self.registry.group(application.name, params["deploymentGroupName"])
            config = self.registry.config(
                params.get("deploymentConfigName") or group.settings["deploymentConfigName"]
            )
            revision = validation.revision(params.get("revision") or group.target_revision)
            validation.rollback(params.get("autoRollbackConfiguration", {}))
            validation.group(group.settings)
            deployment = self.engine.create(
                group,
                revision,
                config,
                self._creator(call),
                description=params.get("description", ""),
                ignore_stop_failures=params.get("ignoreApplicationStopFailures", False),
                file_exists=params.get("fileExistsBehavior", "DISALLOW"),
                rollback=params.get("autoRollbackConfiguration"),
                override_alarms=params.get("overrideAlarmConfiguration"),
            )
        self.engine.start(deployment)
        return {"deploymentId": deployment.id}

    @modelled
    def get_deployment(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            return {"deploymentInfo": answers.deployment(self.registry.deployment(params["deploymentId"]))}

    @modelled
    def batch_get_deployments(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            found = [self.registry.deployments.get(one) for one in params["deploymentIds"]]
            return {"deploymentsInfo": [answers.deployment(one) for one in found if one is not None]}

    @modelled
    def list_deployments(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            found = [one for one in self.registry.deployments.values() if _wanted(one, params)]
        found.sort(key=lambda one: one.created, reverse=True)
        ids, more = page([one.id for one in found], params)
        return {"deployments": ids, **more}

    @runs
    def stop_deployment(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            deployment = self._running(params)
            asked = params.get("autoRollbackEnabled")
            wanted = deployment.rollback
            by_group = bool(wanted.get("enabled")) and "DEPLOYMENT_STOP_ON_REQUEST" in wanted.get(
                "events", []
            )
            rollback = by_group if asked is None else bool(asked)
            if deployment.halt is None:
                deployment.halt = Halt("MANUAL_STOP", "The deployment was stopped on request.", rollback)
        return {"status": "Pending", "statusMessage": "The deployment is being stopped."}

    @runs
    def continue_deployment(self, call: Call, params: dict[str, Any]) -> None:
        wait = params.get("deploymentWaitType", "READY_WAIT")
        if wait not in WAITS:
            raise AwsError("InvalidDeploymentWaitTypeException", "The wait type is invalid.")
        with self.registry.lock:
            deployment = self._running(params)
            waits = {
                "READY_WAIT": deployment.status == "Ready",
                "TERMINATION_WAIT": deployment.termination_wait_started,
            }
            if deployment.style["deploymentType"] != "BLUE_GREEN":
                raise AwsError(
                    "UnsupportedActionForDeploymentTypeException",
                    "Only blue/green deployments can be continued.",
                )
            if not waits[wait]:
                raise AwsError(
                    "DeploymentIsNotInReadyStateException",
                    f"The deployment {deployment.id} does not have a status of Ready and can't continue yet.",
                )
            deployment.continued.add(wait)

    @runs
    def skip_wait_time_for_instance_termination(self, call: Call, params: dict[str, Any]) -> None:
        self.continue_deployment(call, {**params, "deploymentWaitType": "TERMINATION_WAIT"})

    @modelled
    def list_deployment_targets(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        filters = params.get("targetFilters", {})
        with self.registry.lock:
            found = self.registry.deployment(params.get("deploymentId", "")).targets
            chosen = [
                one.instance_id
                for one in found
                if one.status in filters.get("TargetStatus", [one.status])
                and one.label in filters.get("ServerInstanceLabel", [one.label])
            ]
        ids, more = page(chosen, params)
        return {"targetIds": ids, **more}

    @modelled
    def get_deployment_target(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            deployment, target = self._target(params.get("deploymentId", ""), params.get("targetId", ""))
            return {"deploymentTarget": answers.target(deployment, target, self._arn(target))}

    @modelled
    def batch_get_deployment_targets(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        ids = params.get("targetIds", [])
        if len(ids) > MOST_TARGETS:
            raise AwsError(
                "DeploymentTargetListSizeExceededException",
                f"The maximum number of targets is {MOST_TARGETS}.",
            )
        with self.registry.lock:
            found = [self._target(params.get("deploymentId", ""), one) for one in ids]
            return {"deploymentTargets": [answers.target(of, one, self._arn(one)) for of, one in found]}

    @modelled
    def list_deployment_instances(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            found = self.registry.deployment(params["deploymentId"]).targets
            states = params.get("instanceStatusFilter")
            labels = params.get("instanceTypeFilter")
            chosen = [
                one.instance_id
                for one in found
                if (not states or one.status in states) and (not labels or one.label in labels)
            ]
        ids, more = page(chosen, params)
        return {"instancesList": ids, **more}

    @modelled
    def get_deployment_instance(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            deployment, target = self._target(params["deploymentId"], params["instanceId"])
            return {"instanceSummary": answers.instance(deployment, target, self._arn(target))}

    @modelled
    def batch_get_deployment_instances(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            found = [self._target(params["deploymentId"], one) for one in params["instanceIds"]]
            return {"instancesSummary": [answers.instance(of, one, self._arn(one)) for of, one in found]}

    def group_of(self, deployment_id: str) -> str:
        """`application/group` of a deployment, or an empty text when there is no such deployment."""
        found = self.registry.deployments.get(deployment_id)
        return f"{found.group.application}/{found.group.name}" if found else ""

    def _running(self, params: dict[str, Any]) -> Deployment:
        deployment = self.registry.deployment(params.get("deploymentId", ""))
        if deployment.ended:
            raise AwsError(
                "DeploymentAlreadyCompletedException",
                f"The deployment {deployment.id} has already completed.",
            )
        return deployment

    def _target(self, deployment_id: str, target_id: str) -> tuple[Deployment, Target]:
        deployment = self.registry.deployment(deployment_id)
        instance_id = target_id.rpartition("/")[2]
        found = deployment.target(instance_id)
        if found is None:
            message = f"The target {target_id} does not belong to the deployment {deployment_id}."
            raise AwsError("DeploymentTargetDoesNotExistException", message)
        return deployment, found

    def _arn(self, target: Target) -> str:
        return self.cloud.arn("ec2", f"instance/{target.instance_id}")

    @staticmethod
    def _creator(call: Call) -> str:
        return "CloudFormation" if call.principal.service == "cloudformation.amazonaws.com" else "user"

    @staticmethod
    def _refuse(params: dict[str, Any]) -> None:
        """Options that this sandbox doesn't run."""
        if params.get("targetInstances"):
            raise validation.not_run("targetInstances, the replacement instances of DISCOVER_EXISTING")
        if params.get("updateOutdatedInstancesOnly"):
            raise validation.not_run("updateOutdatedInstancesOnly")
        if params.get("deploymentMode", "DEPLOY") != "DEPLOY" or params.get("ec2DeploymentOptions"):
            raise validation.not_run("deploymentMode and ec2DeploymentOptions")


def _wanted(deployment: Deployment, params: dict[str, Any]) -> bool:
    group: Group = deployment.group
    if params.get("applicationName") and group.application != params["applicationName"]:
        return False
    if params.get("deploymentGroupName") and group.name != params["deploymentGroupName"]:
        return False
    if params.get("includeOnlyStatuses") and deployment.status not in params["includeOnlyStatuses"]:
        return False
    times = params.get("createTimeRange", {})
    after, before = times.get("start"), times.get("end")
    return (after is None or deployment.created >= after) and (before is None or deployment.created <= before)
