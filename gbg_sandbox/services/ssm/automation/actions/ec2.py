"""Actions on instances and images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from gbg_sandbox.services.ssm.automation.actions.work import Outcome, StepFailed, Work, api_failure
from gbg_sandbox.services.ssm.automation.values import typed

Inputs = Mapping[str, Any]
SOURCE = "aws.ec2"
STATES = {"running": "running", "stopped": "stopped", "terminated": "terminated"}
GIVEN_UP = {
    "running": {"shutting-down", "terminated", "stopping", "stopped"},
    "stopped": {"shutting-down", "terminated"},
    "terminated": set[str](),
}
READY = "verifying launched instance(s) are ready to be used"


def _call(client: Any, operation: str, doing: str, **params: Any) -> dict[str, Any]:
    """One EC2 call; a refusal fails the step."""
    try:
        result: dict[str, Any] = getattr(client, operation)(**params)
    except ClientError as error:
        raise api_failure(error, "AmazonEC2", doing) from error
    return result


def run_instances(work: Work, inputs: Inputs) -> Outcome:
    """RunInstances, then wait for running and for the status checks."""
    client = work.client("ec2")
    launched = _call(client, "run_instances", "launching the instance(s)", **_launch_request(inputs))
    ids = [instance["InstanceId"] for instance in launched["Instances"]]
    states: dict[str, str] = {}

    def ready() -> bool:
        found = _statuses(client, ids, READY)
        states.update({one["InstanceId"]: one["InstanceState"]["Name"] for one in found})
        for instance, state in states.items():
            if state in GIVEN_UP["running"]:
                raise StepFailed(
                    f"Instance {instance} entered unexpected state: {state}.",
                    doing=READY,
                    stage="PostVerification",
                )
        return len(found) == len(ids) and all(_checks_passed(one) for one in found)

    work.wait(ready, doing=READY)
    return Outcome({"InstanceIds": ids, "InstanceStates": [states[one] for one in ids]})


def _checks_passed(status: Mapping[str, Any]) -> bool:
    return all(status.get(check, {}).get("Status") == "ok" for check in ("InstanceStatus", "SystemStatus"))


def _launch_request(inputs: Inputs) -> dict[str, Any]:
    request = {key: value for key, value in inputs.items() if key not in _RENAMED and value not in ("", None)}
    request["MinCount"] = typed("Integer", inputs.get("MinInstanceCount", 1))
    request["MaxCount"] = typed("Integer", inputs.get("MaxInstanceCount", 1))
    request.setdefault("InstanceType", "m1.small")
    profile = {
        key: inputs[name]
        for key, name in (("Name", "IamInstanceProfileName"), ("Arn", "IamInstanceProfileArn"))
        if inputs.get(name)
    }
    if profile:
        request["IamInstanceProfile"] = profile
    if "Monitoring" in request:
        request["Monitoring"] = {"Enabled": typed("Boolean", request["Monitoring"])}
    return request


_RENAMED = {"MinInstanceCount", "MaxInstanceCount", "IamInstanceProfileName", "IamInstanceProfileArn"}


def _statuses(client: Any, ids: list[str], doing: str) -> list[dict[str, Any]]:
    found = _call(client, "describe_instance_status", doing, InstanceIds=ids, IncludeAllInstances=True)
    statuses: list[dict[str, Any]] = found["InstanceStatuses"]
    return statuses


def change_instance_state(work: Work, inputs: Inputs) -> Outcome:
    """Start, stop or terminate, and wait for it; with CheckStateOnly only wait."""
    wanted = str(inputs["DesiredState"])
    if wanted not in STATES:
        raise StepFailed(
            f"DesiredState {wanted} is none of {', '.join(STATES)}.",
            doing="validating and resolving the step inputs",
            stage="InputValidation",
        )
    ids = typed("StringList", inputs["InstanceIds"])
    client = work.client("ec2")
    doing = f"changing the state of the instance(s) to {wanted}"
    if not typed("Boolean", inputs.get("CheckStateOnly", False)):
        _ask(client, wanted, ids, typed("Boolean", inputs.get("Force", False)), doing)
    work.wait(
        lambda: _all_in(client, ids, wanted, doing),
        doing=f"verifying the instance(s) are {wanted}",
        told_by=SOURCE,
    )
    return Outcome({"InstanceStates": [wanted] * len(ids)})


def _ask(client: Any, wanted: str, ids: list[str], force: bool, doing: str) -> None:
    if wanted == "running":
        _call(client, "start_instances", doing, InstanceIds=ids)
    elif wanted == "stopped":
        _call(client, "stop_instances", doing, InstanceIds=ids, **({"Force": True} if force else {}))
    else:
        _call(client, "terminate_instances", doing, InstanceIds=ids)


def _all_in(client: Any, ids: list[str], wanted: str, doing: str) -> bool:
    states = {one["InstanceId"]: one["InstanceState"]["Name"] for one in _statuses(client, ids, doing)}
    for instance, state in states.items():
        if state in GIVEN_UP[wanted] and state != wanted and not (wanted == "running" and state == "stopped"):
            raise StepFailed(
                f"Instance {instance} entered unexpected state: {state}.",
                doing=doing,
                stage="PostVerification",
            )
    return all(states.get(instance) == wanted for instance in ids)


def create_image(work: Work, inputs: Inputs) -> Outcome:
    client = work.client("ec2")
    doing = "creating the image"
    made = _call(
        client,
        "create_image",
        doing,
        InstanceId=typed("String", inputs["InstanceId"]),
        Name=inputs["ImageName"],
        **_given(
            inputs,
            Description="ImageDescription",
            NoReboot="NoReboot",
            BlockDeviceMappings="BlockDeviceMappings",
        ),
    )
    return _available(work, client, made["ImageId"])


def copy_image(work: Work, inputs: Inputs) -> Outcome:
    client = work.client("ec2")
    copied = _call(
        client,
        "copy_image",
        "copying the image",
        SourceRegion=inputs["SourceRegion"],
        SourceImageId=typed("String", inputs["SourceImageId"]),
        Name=inputs["ImageName"],
        **_given(
            inputs,
            Description="ImageDescription",
            Encrypted="Encrypted",
            KmsKeyId="KmsKeyId",
            ClientToken="ClientToken",
        ),
    )
    return _available(work, client, copied["ImageId"])


def _given(inputs: Inputs, **names: str) -> dict[str, Any]:
    """API parameter = input, where the input has a value."""
    found = {name: inputs[source] for name, source in names.items() if inputs.get(source) not in ("", None)}
    for name in ("NoReboot", "Encrypted"):
        if name in found:
            found[name] = typed("Boolean", found[name])
    return found


def _available(work: Work, client: Any, image: str) -> Outcome:
    doing = "verifying the image is available"

    def available() -> bool:
        found = _call(client, "describe_images", doing, ImageIds=[image])["Images"]
        state = found[0]["State"] if found else "missing"
        if state in ("failed", "error", "invalid", "deregistered"):
            raise StepFailed(
                f"Image {image} entered unexpected state: {state}.", doing=doing, stage="PostVerification"
            )
        return bool(state == "available")

    work.wait(available, doing=doing, told_by=SOURCE)
    return Outcome({"ImageId": image, "ImageState": "available"})


def delete_image(work: Work, inputs: Inputs) -> Outcome:
    """Deregister the image and delete its snapshots."""
    client = work.client("ec2")
    image = typed("String", inputs["ImageId"])
    doing = "deleting the image"
    found = _call(client, "describe_images", doing, ImageIds=[image])["Images"]
    if not found:
        raise StepFailed(f"Image {image} does not exist.", doing=doing)
    _call(client, "deregister_image", doing, ImageId=image)
    for mapping in found[0].get("BlockDeviceMappings", []):
        snapshot = mapping.get("Ebs", {}).get("SnapshotId")
        if snapshot:
            _call(client, "delete_snapshot", doing, SnapshotId=snapshot)
    return Outcome()


def create_tags(work: Work, inputs: Inputs) -> Outcome:
    kind = inputs.get("ResourceType", "EC2")
    resources = typed("StringList", inputs["ResourceIds"])
    doing = "creating tags"
    if kind == "EC2":
        _call(work.client("ec2"), "create_tags", doing, Resources=resources, Tags=inputs["Tags"])
        return Outcome()
    client = work.client("ssm")
    for resource in resources:
        try:
            client.add_tags_to_resource(ResourceType=kind, ResourceId=resource, Tags=inputs["Tags"])
        except ClientError as error:
            raise api_failure(error, "AWSSimpleSystemsManagement", doing) from error
    return Outcome()


ACTIONS: dict[str, Callable[[Work, Inputs], Outcome]] = {
    "aws:runInstances": run_instances,
    "aws:changeInstanceState": change_instance_state,
    "aws:createImage": create_image,
    "aws:copyImage": copy_image,
    "aws:deleteImage": delete_image,
    "aws:createTags": create_tags,
}
