"""Faults that strike during a release: people, alarms, scaling, a lost artifact."""

from __future__ import annotations

from typing import Any

from gbg_lib.deployments import ACTIVE
from gbg_lib.faults import moments
from gbg_lib.faults.fault import Fault, Strike
from gbg_lib.faults.moments import allowing, begun_events, installing
from gbg_lib.pipeline import BUILD, DEPLOY, SOURCE
from gbg_lib.steps import ReleaseRun

REASON = "A planted fault"


def fire_alarm(step: ReleaseRun, execution_id: str) -> None:
    """Hold the alarm while the deployment goes on: CloudWatch's next look at the metric would end it."""
    moments.machines(step, execution_id, allowing, "traffic that moves")
    deployment = moments.stage(step, execution_id, DEPLOY).external_id
    while _status(step, deployment) in ACTIVE:
        step.aws.call(
            "cloudwatch",
            "set_alarm_state",
            AlarmName=f"{step.parameters.deployment}-target-5xx",
            StateValue="ALARM",
            StateReason=REASON,
        )
        step.aws.pause()


def stop_deployment(step: ReleaseRun, execution_id: str) -> None:
    moments.machines(step, execution_id, installing, "machines that install")
    deployment = moments.stage(step, execution_id, DEPLOY).external_id
    step.aws.call("codedeploy", "stop_deployment", deploymentId=deployment, autoRollbackEnabled=True)


def stop_before_deploy(step: ReleaseRun, execution_id: str) -> None:
    """During the build, which may be over before it is known: then it is stopped at the door of Deploy."""
    with moments.before_deploy(step):
        stop_pipeline(BUILD, abandon=False)(step, execution_id)


def stop_pipeline(stage: str, *, abandon: bool) -> Strike:
    """Stop and wait for the action, or abandon it."""

    def act(step: ReleaseRun, execution_id: str) -> None:
        moments.stage(step, execution_id, stage)
        step.aws.call(
            "codepipeline",
            "stop_pipeline_execution",
            pipelineName=step.pipeline.name,
            pipelineExecutionId=execution_id,
            abandon=abandon,
            reason=REASON,
        )

    return act


def grow(side: str) -> Strike:
    """The fleet of that side gets one machine more while green installs."""

    def act(step: ReleaseRun, execution_id: str) -> None:
        green = moments.green_group(step, execution_id)["AutoScalingGroupName"]
        moments.machines(step, execution_id, installing, "machines that install")
        group = moments.serving_group(step) if side == "Blue" else moments.groups(step, green)[0]
        step.aws.call(
            "autoscaling",
            "set_desired_capacity",
            AutoScalingGroupName=group["AutoScalingGroupName"],
            DesiredCapacity=group["DesiredCapacity"] + 1,
            HonorCooldown=False,
        )

    return act


def shrink(side: str) -> Strike:
    """The fleet of that side scales in by one while green installs: by the one whose turn comes last."""

    def act(step: ReleaseRun, execution_id: str) -> None:
        found = moments.machines(step, execution_id, installing, "machines that install")
        last = min((one for one in found if one.side == side), key=begun_events)
        step.aws.call(
            "autoscaling",
            "terminate_instance_in_auto_scaling_group",
            InstanceId=last.instance,
            ShouldDecrementDesiredCapacity=True,
        )

    return act


def room_to_shrink(step: ReleaseRun) -> dict[str, str]:
    group = moments.serving_group(step)
    return {"group": group["AutoScalingGroupName"], "least": str(group["MinSize"])}


def make_room(step: ReleaseRun, former: Any) -> None:
    _set_least(step, former["group"], 1)


def take_room(step: ReleaseRun, former: Any) -> None:
    """Whichever group serves now; green took over blue's bounds."""
    _set_least(step, moments.serving_group(step)["AutoScalingGroupName"], int(former["least"]))


def _set_least(step: ReleaseRun, group: str, least: int) -> None:
    found = moments.groups(step, group)[0]
    step.aws.call(
        "autoscaling",
        "update_auto_scaling_group",
        AutoScalingGroupName=group,
        MinSize=least,
        DesiredCapacity=max(found["DesiredCapacity"], least),
    )


def lose_artifact(stage: str) -> Strike:
    """What a stage stored is deleted as soon as it is stored."""

    def act(step: ReleaseRun, execution_id: str) -> None:
        def look() -> dict[str, str] | None:
            found = step.aws.pages(
                "codepipeline",
                "list_action_executions",
                "actionExecutionDetails",
                pipelineName=step.pipeline.name,
                filter={"pipelineExecutionId": execution_id},
            )
            places = [
                artifact["s3location"]
                for action in found
                if action["stageName"] == stage
                for artifact in action.get("output", {}).get("outputArtifacts", [])
            ]
            return dict(places[0]) if places else None

        place = moments.during(step, execution_id, look, f"the artifact of {stage}")
        step.aws.call("s3", "delete_object", Bucket=place["bucket"], Key=place["key"])

    return act


def _status(step: ReleaseRun, deployment: str) -> str:
    found = step.aws.call("codedeploy", "get_deployment", deploymentId=deployment)
    return str(found["deploymentInfo"]["status"])


FAULTS = (
    Fault(
        "artifact-missing",
        "What was to be built is deleted from the bucket before the build takes it.",
        strike=lose_artifact(SOURCE),
    ),
    Fault("alarm-while-traffic-moves", "An alarm fires while traffic moves.", strike=fire_alarm),
    Fault(
        "deployment-stopped", "A person stops the deployment while green installs.", strike=stop_deployment
    ),
    Fault(
        "pipeline-stopped",
        "A person stops the pipeline during the build and lets that end.",
        strike=stop_before_deploy,
    ),
    Fault(
        "pipeline-abandoned",
        "A person stops the pipeline during the deployment and doesn't wait for it.",
        strike=stop_pipeline(DEPLOY, abandon=True),
    ),
    Fault("blue-grows", "The blue fleet scales out while green installs.", strike=grow("Blue")),
    Fault(
        "blue-shrinks",
        "The blue fleet scales in while green installs.",
        look=room_to_shrink,
        plant=make_room,
        remove=take_room,
        strike=shrink("Blue"),
    ),
    Fault("green-grows", "The green fleet scales out while it installs.", strike=grow("Green")),
    Fault(
        "green-shrinks",
        "The green fleet scales in while it installs.",
        look=room_to_shrink,
        plant=make_room,
        remove=take_room,
        strike=shrink("Green"),
    ),
)
