"""CodePipeline and CodeDeploy of a deployment that serves.

Deployments move a step each time they are looked at, as CodeDeploy moves them: what is stopped ends, what
rolls back hands the traffic to blue.
"""

from __future__ import annotations

from typing import Any

from tests.unit.aws_fakes import refusal
from tests.unit.release_fakes import BEGIN, action
from tests.unit.serving_state import (
    COMMITS,
    IMAGES,
    NEW,
    Execution,
    FakeDeployment,
    Group,
    ServingState,
    green,
    health,
)


class FakeReleases(ServingState):
    def failed_and_rolled_back(self) -> None:
        """NEW failed at Deploy; OLD serves, but the parameter still names NEW's image."""
        self.deploying(moved=False)
        self._end("d-NEW", "Failed")
        del self.groups[green("d-NEW")]

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
        if self.read_errors:
            raise refusal(self.read_errors.pop(0), "not now")
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
        if self.deployment_error:
            raise refusal(self.deployment_error, "not now")
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
        if self.executions_unheard:
            raise refusal("RequestExpired", "the clock is wrong")
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
        if self.actions_unheard:
            raise refusal("ThrottlingException", "Rate exceeded")
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
