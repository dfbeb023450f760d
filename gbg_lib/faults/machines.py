"""Faults of machines that die during a release, in each of its phases."""

from __future__ import annotations

from collections.abc import Callable

from gbg_lib.faults import moments, planting
from gbg_lib.faults.application import head, note, push, restore
from gbg_lib.faults.fault import Fault, Strike
from gbg_lib.faults.moments import Ready, begun_events, blocking, installing, taking
from gbg_lib.faults.slow_traffic import LONGER_DRAINING_SECONDS, drain_as_before, drains_long, warms_up
from gbg_lib.pipeline import BUILD
from gbg_lib.steps import ReleaseRun
from gbg_lib.waiting import wait_until

REFUSED = ("Cancelled", "Failed")
REASON = "A planted fault"


def kill(side: str, ready: Ready, what: str) -> Strike:
    """The machine of that side that is furthest is terminated from outside."""

    def act(step: ReleaseRun, execution_id: str) -> None:
        found = moments.machines(step, execution_id, ready, what)
        victim = max((target for target in found if target.side == side), key=begun_events)
        _end(step, victim.instance)

    return act


def kill_with_traffic(step: ReleaseRun, execution_id: str) -> None:
    """A green machine, once all of blue leaves. Only blue drains long: a way back does not have to."""
    moments.draining(step, execution_id)
    if (there := planting.planted(step)) is not None:
        drain_as_before(step, there.former)
    kill("Green", blocking, "green with all traffic")(step, execution_id)


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


def kill_in_last_wait(side: str) -> Strike:
    def act(step: ReleaseRun, execution_id: str) -> None:
        found = [one for one in moments.last_wait(step, execution_id) if one.side == side]
        _end(step, found[0].instance)

    return act


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
    warms_up(
        "green-dies-taking-traffic",
        "A green machine is terminated while it waits for its first traffic.",
        kill("Green", taking, "green that waits for traffic"),
    ),
    drains_long(
        "green-dies-with-traffic",
        "A green machine is terminated when it has traffic.",
        kill_with_traffic,
        LONGER_DRAINING_SECONDS,
    ),
    Fault(
        "blue-dies-installing",
        "A blue machine is terminated while green installs.",
        strike=kill("Blue", installing, "machines that install"),
    ),
    warms_up(
        "blue-dies-before-traffic-moves",
        "A blue machine is terminated while green waits for its first traffic.",
        kill("Blue", taking, "green that waits for traffic"),
    ),
    drains_long(
        "blue-dies-leaving",
        "A blue machine is terminated while it leaves the load balancer.",
        kill("Blue", blocking, "blue that leaves"),
    ),
    _during_a_push(
        "green-dies-at-last",
        "A green machine is terminated when blue only waits for its end.",
        kill_in_last_wait("Green"),
    ),
    _during_a_push(
        "blue-dies-at-last",
        "A blue machine is terminated when it only waits for its end.",
        kill_in_last_wait("Blue"),
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
