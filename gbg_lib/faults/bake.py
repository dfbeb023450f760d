"""Faults of the bake: another version of its document, or a hand on its machine."""

from __future__ import annotations

import json
from typing import Any

import yaml

from gbg_lib.faults import moments
from gbg_lib.faults.fault import Act, Fault, Former
from gbg_lib.images.golden import REVOKED
from gbg_lib.steps import ReleaseRun

BROKEN = ["echo 'Fetching the list of packages'", "echo 'Error: no mirror answers' >&2", "exit 6"]
HANGS = ["echo 'Waiting for a lock'", "sleep 3600"]
HANG_SECONDS = 20


def document(step: ReleaseRun) -> dict[str, str]:
    """The default version that bakes take now."""
    found = step.aws.call("ssm", "describe_document", Name=step.base["BakeDocumentName"])["Document"]
    return {"version": found["DefaultVersion"]}


def commands(lines: list[str], *, timeout_seconds: int = 0) -> Act:
    """A new default version whose update runs other commands."""

    def act(step: ReleaseRun, former: Former) -> None:
        name = step.base["BakeDocumentName"]
        content = _content(step, name, former["version"])
        [update] = [one for one in content["mainSteps"] if one["name"] == "updateSystem"]
        update["inputs"]["Parameters"]["commands"] = lines
        if timeout_seconds:
            update["timeoutSeconds"] = timeout_seconds
        made = step.aws.call(
            "ssm",
            "update_document",
            Name=name,
            Content=json.dumps(content),
            DocumentFormat="JSON",
            DocumentVersion="$LATEST",
        )["DocumentDescription"]
        _make_default(step, made["DocumentVersion"])

    return act


def restore(step: ReleaseRun, former: Former) -> None:
    _make_default(step, former["version"])


def terminate_builder(step: ReleaseRun, execution_id: str) -> None:
    machine = moments.builder(step, execution_id)
    step.aws.call("ec2", "terminate_instances", InstanceIds=[machine])


def source_image(step: ReleaseRun) -> dict[str, str]:
    name = step.base["SourceAmiParameterName"]
    return {"image": step.aws.call("ssm", "get_parameter", Name=name)["Parameter"]["Value"]}


def revoke(step: ReleaseRun, former: Former) -> None:
    tags = [{"Key": REVOKED, "Value": "a planted fault"}]
    step.aws.call("ec2", "create_tags", Resources=[former["image"]], Tags=tags)


def lift(step: ReleaseRun, former: Former) -> None:
    step.aws.call("ec2", "delete_tags", Resources=[former["image"]], Tags=[{"Key": REVOKED}])


def _content(step: ReleaseRun, name: str, version: str) -> dict[str, Any]:
    found = step.aws.call("ssm", "get_document", Name=name, DocumentVersion=version, DocumentFormat="YAML")
    return dict(yaml.safe_load(found["Content"]))


def _make_default(step: ReleaseRun, version: str) -> None:
    step.aws.call(
        "ssm",
        "update_document_default_version",
        Name=step.base["BakeDocumentName"],
        DocumentVersion=version,
    )


FAULTS = (
    Fault(
        "source-image-revoked",
        "The source image is revoked, and nobody looks before a release.",
        look=source_image,
        plant=revoke,
        remove=lift,
    ),
    Fault(
        "bake-command-fails",
        "A command of the bake fails: no package mirror answers.",
        look=document,
        plant=commands(BROKEN),
        remove=restore,
    ),
    Fault(
        "bake-hangs",
        "A command of the bake never ends, and its time is up.",
        look=document,
        plant=commands(HANGS, timeout_seconds=HANG_SECONDS),
        remove=restore,
    ),
    Fault(
        "builder-terminated",
        "Somebody terminates the bake's machine while it is at work.",
        strike=terminate_builder,
    ),
)
