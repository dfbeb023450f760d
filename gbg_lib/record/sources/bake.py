"""The bake: the automation with every step, what its commands said, the image, its packages and parent."""

from __future__ import annotations

from itertools import islice
from typing import Any

from gbg_lib.record.gathering import Gathering, Subject, milliseconds

PACKAGES_STEP = "listPackages"
MOST_LINES = 500_000


def automation(subject: Subject, found: Gathering) -> None:
    if not subject.automation:
        return
    told = subject.aws.call("ssm", "get_automation_execution", AutomationExecutionId=subject.automation)[
        "AutomationExecution"
    ]
    steps = told.pop("StepExecutions", [])
    source = "ssm:get_automation_execution"
    if told.get("StepExecutionsTruncated"):
        source = "ssm:describe_automation_step_executions"
        steps = list(
            subject.aws.pages(
                "ssm",
                "describe_automation_step_executions",
                "StepExecutions",
                AutomationExecutionId=subject.automation,
            )
        )
    found.add(
        "bake",
        "",
        "ssm:get_automation_execution",
        told,
        at=told["ExecutionStartTime"],
        until=told.get("ExecutionEndTime"),
    )
    for number, step in enumerate(steps, 1):
        found.add(
            "bake.step",
            f"{number:02d}-{step['StepName']}",
            source,
            step,
            at=step.get("ExecutionStartTime"),
            until=step.get("ExecutionEndTime"),
        )


def log(subject: Subject, found: Gathering) -> None:
    """What the commands said, whole: the automation keeps only its beginning. A file a step."""
    steps = {
        str(command): step.data["StepName"]
        for step in found.of("bake.step")
        for command in [_command_id(step.data)]
        if command
    }
    if not steps:
        return
    streams = log_streams(subject, subject.base["BakeLogGroupName"])
    streams |= log_streams(subject, f"/{subject.deployment}/packages")
    for stream, lines in streams.items():
        command, _, rest = stream.partition("/")
        if command not in steps:
            continue
        name = f"bake-{steps[command]}-{rest.rpartition('/')[2]}.log"
        file = found.keep(name, "".join(f"{one}\n" for one in lines).encode())
        told = {"step": steps[command], "stream": stream, "lines": len(lines)}
        found.add("bake.log", name, "logs:filter_log_events", told, file=file)
        if steps[command] == PACKAGES_STEP and rest.endswith("stdout"):
            found.add("packages", "", "logs:filter_log_events", _packages(lines), file=file)


def _packages(lines: list[str]) -> dict[str, list[str]]:
    """What is in the image, and what was in the one that it was made from."""
    told: dict[str, list[str]] = {}
    heading = "golden"
    for one in lines:
        if one.startswith("# "):
            heading = one[2:]
        elif one:
            told.setdefault(heading, []).append(one)
    return {name: sorted(packages) for name, packages in told.items()}


def log_streams(subject: Subject, group: str, most_lines: int = MOST_LINES) -> dict[str, list[str]]:
    """Lines of a log group during the release, by stream, in their order."""
    found: dict[str, list[str]] = {}
    events = subject.aws.pages(
        "logs",
        "filter_log_events",
        "events",
        logGroupName=group,
        startTime=milliseconds(subject.begin),
        endTime=milliseconds(subject.end),
    )
    for event in islice(events, most_lines):
        found.setdefault(event["logStreamName"], []).append(event["message"].rstrip("\n"))
    return found


def images(subject: Subject, found: Gathering) -> None:
    """The golden AMI and the image it was made from, with its snapshots."""
    golden = subject.output("ImageId")
    bake = next(iter(found.of("bake")), None)
    parent = next(iter((bake.data if bake else {}).get("Parameters", {}).get("SourceAmiId", [])), "")
    asked = [one for one in (golden, parent) if one.startswith("ami-")]
    if not asked:
        return
    told = subject.aws.call("ec2", "describe_images", Filters=[{"Name": "image-id", "Values": asked}])[
        "Images"
    ]
    for image in told:
        role = "golden" if image["ImageId"] == golden else "parent"
        found.add("image", role, "ec2:describe_images", image)
    for lost in set(asked) - {image["ImageId"] for image in told}:
        found.miss(f"image {lost}", "it was deregistered", "ec2:describe_images")
    disks = [
        disk.get("Ebs", {})
        for image in told
        if image["ImageId"] == golden
        for disk in image.get("BlockDeviceMappings", [])
    ]
    snapshots = [disk["SnapshotId"] for disk in disks if "SnapshotId" in disk]
    if snapshots:
        asked_for = [{"Name": "snapshot-id", "Values": snapshots}]
        for snapshot in subject.aws.call("ec2", "describe_snapshots", Filters=asked_for)["Snapshots"]:
            found.add("snapshot", snapshot["SnapshotId"], "ec2:describe_snapshots", snapshot)


def _command_id(step: Any) -> str:
    """The Run Command behind a step."""
    return next(iter(step.get("Outputs", {}).get("CommandId", [])), "")
