"""What the release ran under: stacks and templates, parameters, documents, logs of functions and machines."""

from __future__ import annotations

import json

from gbg_lib.errors import GbgError, NotThere
from gbg_lib.record.format import stamp
from gbg_lib.record.gathering import Gathering, Subject
from gbg_lib.record.sources.bake import log_streams

INSTANCE_LOG_LINES = 50_000


def stacks(subject: Subject, found: Gathering) -> None:
    for part in ("base", "pipeline"):
        name = f"{subject.deployment}-{part}"
        [stack] = subject.aws.call("cloudformation", "describe_stacks", StackName=name)["Stacks"]
        body = subject.aws.call("cloudformation", "get_template", StackName=name)["TemplateBody"]
        text = body if isinstance(body, str) else json.dumps(body, indent=1)
        file = found.keep(f"template-{part}.json", text.encode())
        at = stack.get("LastUpdatedTime", stack["CreationTime"])
        found.add("stack", part, "cloudformation:describe_stacks", stack, at=at, file=file)
        if at > subject.started:
            found.miss(
                f"{name} as it was when the release began",
                f"it was changed at {stamp(at)}, and CloudFormation tells a stack's newest parameters and"
                " template only: those are kept",
                "cloudformation:describe_stacks",
            )


def parameters(subject: Subject, found: Gathering) -> None:
    """Of the Parameter Store; secret ones are asked for without their values."""
    for one in subject.aws.pages(
        "ssm", "get_parameters_by_path", "Parameters", Path=f"/{subject.deployment}", Recursive=True
    ):
        at = one["LastModifiedDate"]
        found.add("parameter", one["Name"], "ssm:get_parameters_by_path", one, at=at)


def documents(subject: Subject, found: Gathering) -> None:
    """The bake's document in the version that ran."""
    bake = next(iter(found.of("bake")), None)
    asked = {"DocumentVersion": bake.data["DocumentVersion"]} if bake else {}
    name = subject.base["BakeDocumentName"]
    told = subject.aws.call("ssm", "get_document", Name=name, **asked)
    file = found.keep(f"document-{name}.txt", told.pop("Content").encode())
    found.add("document", name, "ssm:get_document", told, file=file)


def function_logs(subject: Subject, found: Gathering) -> None:
    outputs = ("BakeFunctionName", "PinFunctionName", "RestoreFunctionName")
    for name in [subject.parts[output] for output in outputs if output in subject.parts]:
        try:
            streams = log_streams(subject, f"/aws/lambda/{name}")
        except NotThere:
            continue  # a function that never ran has no log
        _keep_log(found, name, streams)


def instance_logs(subject: Subject, found: Gathering) -> None:
    """What agents and Tomcat wrote during the release, a file a machine."""
    group = f"/{subject.deployment}/instances"
    machines: dict[str, dict[str, list[str]]] = {}
    for stream, lines in log_streams(subject, group, INSTANCE_LOG_LINES).items():
        machine, _, _ = stream.partition("/")
        machines.setdefault(machine, {})[stream] = lines
    for machine, streams in machines.items():
        _keep_log(found, machine, streams)


def _keep_log(found: Gathering, name: str, streams: dict[str, list[str]]) -> None:
    lines = [f"{stream}: {one}" for stream, told in sorted(streams.items()) for one in told]
    if lines:
        file = found.keep(f"log-{name}.log", "".join(f"{one}\n" for one in lines).encode())
        found.add("log", name, "logs:filter_log_events", {"of": name, "lines": len(lines)}, file=file)


def identity(subject: Subject, found: Gathering) -> dict[str, str]:
    """Who records. Empty where STS does not say."""
    try:
        told = subject.aws.call("sts", "get_caller_identity")
    except GbgError as error:
        found.miss("identity", error.what, error.where)
        return {}
    return {"account": told["Account"], "arn": told["Arn"]}
