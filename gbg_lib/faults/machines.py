"""Faults of machines that die during a release, in each of its phases."""

from __future__ import annotations

from collections.abc import Callable

from gbg_lib.deployments import Target
from gbg_lib.faults import moments
from gbg_lib.faults.application import head, note, push, restore
from gbg_lib.faults.fault import Fault, Former, Strike
from gbg_lib.faults.moments import Ready, begun_events, blocking, installing
from gbg_lib.pipeline import BUILD
from gbg_lib.steps import ReleaseRun
from gbg_lib.waiting import wait_until

LONG_DRAINING_SECONDS = 300
REFUSED = ("Cancelled", "Failed")
REASON = "A planted fault"


def kill(side: str, ready: Ready, what: str) -> Strike:
    """One machine of that side is terminated from outside."""

    def act(step: ReleaseRun, execution_id: str) -> None:
        found = moments.machines(step, execution_id, ready, what)
        victim = _victim([target for target in found if target.side == side])
        step.aws.call("ec2", "terminate_instances", InstanceIds=[victim.instance])

    return act


def kill_before_deploy(moment: Callable[[ReleaseRun, str], object]) -> Strike:
    """A machine of the serving fleet is terminated then; its place is filled before stage Deploy."""

    def act(step: ReleaseRun, execution_id: str) -> None:
        with moments.before_deploy(step):
            moment(step, execution_id)
            _replace_one(step)

    return act


def building(step: ReleaseRun, execution_id: str) -> object:
    return moments.stage(step, execution_id, BUILD)


def pin_too_early(step: ReleaseRun, execution_id: str) -> None:
    """The new image on the serving fleet before stage Deploy, taken back after a launch from it failed."""
    with moments.before_deploy(step):
        image = moments.baked(step, execution_id)
        group = moments.serving_group(step)
        name, template = group["AutoScalingGroupName"], group["LaunchTemplate"]
        made = step.aws.call(
            "ec2",
            "create_launch_template_version",
            LaunchTemplateId=template["LaunchTemplateId"],
            SourceVersion=template["Version"],
            VersionDescription=REASON,
            LaunchTemplateData={"ImageId": image},
        )["LaunchTemplateVersion"]
        _pin(step, name, template["LaunchTemplateId"], str(made["VersionNumber"]))
        _end(step, group["Instances"][0]["InstanceId"])
        _await_refused_launch(step, name)
        _pin(step, name, template["LaunchTemplateId"], template["Version"])
        moments.whole_fleet(step, group["Instances"][0]["InstanceId"])
        step.aws.call(
            "ec2",
            "delete_launch_template_versions",
            LaunchTemplateId=template["LaunchTemplateId"],
            Versions=[str(made["VersionNumber"])],
        )


def _await_refused_launch(step: ReleaseRun, group: str) -> None:
    """A machine that CodeDeploy could not bring the application to is given up."""

    def look() -> bool | None:
        found = step.aws.call("autoscaling", "describe_scaling_activities", AutoScalingGroupName=group)
        launches = [one for one in found["Activities"] if one["Description"].startswith("Launching")]
        return True if any(one["StatusCode"] in REFUSED for one in launches) else None

    wait_until(
        step.aws,
        look,
        limit_seconds=step.parameters.release_minutes * 60,
        what=f"a launch of {group} that is given up",
        try_this="its scaling activities tell what became of it",
    )


def _pin(step: ReleaseRun, group: str, template: str, version: str) -> None:
    step.aws.call(
        "autoscaling",
        "update_auto_scaling_group",
        AutoScalingGroupName=group,
        LaunchTemplate={"LaunchTemplateId": template, "Version": version},
    )


def _replace_one(step: ReleaseRun) -> None:
    victim = moments.serving_group(step)["Instances"][0]["InstanceId"]
    _end(step, victim)
    moments.whole_fleet(step, victim)


def _end(step: ReleaseRun, instance: str) -> None:
    step.aws.call("ec2", "terminate_instances", InstanceIds=[instance])


def kill_in_last_wait(step: ReleaseRun, execution_id: str) -> None:
    green = [one for one in moments.last_wait(step, execution_id) if one.side == "Green"]
    _end(step, green[0].instance)


def draining(step: ReleaseRun) -> dict[str, str]:
    return {"seconds": _attributes(step)["deregistration_delay.timeout_seconds"]}


def drain_longer(step: ReleaseRun, former: Former) -> None:
    """Long enough for what happens meanwhile to be seen, before the deployment goes on."""
    _set_draining(step, str(LONG_DRAINING_SECONDS))


def drain_as_before(step: ReleaseRun, former: Former) -> None:
    _set_draining(step, former["seconds"])


def _attributes(step: ReleaseRun) -> dict[str, str]:
    found = step.aws.call(
        "elbv2", "describe_target_group_attributes", TargetGroupArn=step.base["TargetGroupArn"]
    )
    return {str(one["Key"]): str(one["Value"]) for one in found["Attributes"]}


def _set_draining(step: ReleaseRun, seconds: str) -> None:
    step.aws.call(
        "elbv2",
        "modify_target_group_attributes",
        TargetGroupArn=step.base["TargetGroupArn"],
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": seconds}],
    )


def _victim(found: list[Target]) -> Target:
    """The one that is furthest."""
    return max(found, key=begun_events)


def _during_a_push(name: str, what: str, strike: Strike) -> Fault:
    """With a commit of its own, so that a machine tells which release's application it has."""
    return Fault(
        name,
        what,
        look=head,
        plant=push(note, "A note"),
        remove=restore,
        strike=strike,
        pushes=True,
    )


FAULTS = (
    Fault(
        "green-dies-installing",
        "A green machine is terminated while it installs.",
        strike=kill("Green", installing, "machines that install"),
    ),
    Fault(
        "green-dies-with-traffic",
        "A green machine is terminated when it has traffic.",
        look=draining,
        plant=drain_longer,
        remove=drain_as_before,
        strike=kill("Green", blocking, "green with all traffic"),
    ),
    Fault(
        "blue-dies-installing",
        "A blue machine is terminated while green installs.",
        strike=kill("Blue", installing, "machines that install"),
    ),
    Fault(
        "blue-dies-leaving",
        "A blue machine is terminated while it leaves the load balancer.",
        look=draining,
        plant=drain_longer,
        remove=drain_as_before,
        strike=kill("Blue", blocking, "blue that leaves"),
    ),
    _during_a_push(
        "green-dies-at-last",
        "A green machine is terminated when blue only waits for its end.",
        kill_in_last_wait,
    ),
    _during_a_push(
        "blue-dies-while-baking",
        "A blue machine is terminated during the bake.",
        kill_before_deploy(moments.builder),
    ),
    _during_a_push(
        "blue-dies-while-building",
        "A blue machine is terminated during the build.",
        kill_before_deploy(building),
    ),
    _during_a_push(
        "blue-dies-on-new-image",
        "A person puts the serving fleet on the new image too early, and a blue machine dies.",
        pin_too_early,
    ),
)
