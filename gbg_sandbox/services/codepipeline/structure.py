"""Is this a pipeline? AWS's rules for stages, actions and artifacts, and refusals of what doesn't run here.

https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-pipeline-structure.html
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.codepipeline import action_types
from gbg_sandbox.services.codepipeline.variables import PIPELINE_NAMESPACES, references

NAME = re.compile(r"[A-Za-z0-9.@\-_]{1,100}")
LONGEST_VALUE = 1000
REFUSED_IN_ACTION = ("commands", "outputVariables", "environmentVariables")


def _wrong(message: str) -> AwsError:
    return AwsError("InvalidStructureException", message)


def complete(declaration: dict[str, Any], region: str) -> dict[str, Any]:
    """The declaration with AWS's defaults. Raises AwsError for what is wrong or does not run here."""
    declaration.setdefault("executionMode", "SUPERSEDED")
    declaration.setdefault("pipelineType", "V1")
    _check_top(declaration)
    stages = declaration["stages"]
    _check_stages(stages)
    for stage in stages:
        _check_stage(stage, declaration["pipelineType"])
        for action in stage["actions"]:
            action.setdefault("runOrder", 1)
            action.setdefault("configuration", {})
            action.setdefault("inputArtifacts", [])
            action.setdefault("outputArtifacts", [])
            _check_action(action, region)
    _check_artifacts(stages)
    _check_namespaces(stages)
    return declaration


def groups(actions: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Actions that run at the same time, in the order of their runOrder."""
    orders = sorted({action["runOrder"] for action in actions})
    return [[action for action in actions if action["runOrder"] == order] for order in orders]


def _check_top(declaration: Mapping[str, Any]) -> None:
    if not NAME.fullmatch(declaration["name"]):
        raise AwsError("ValidationException", f"{declaration['name']!r} is not a valid pipeline name")
    if "artifactStores" in declaration:
        raise _wrong("gbg_sandbox does not run pipelines with artifactStores (several Regions)")
    if "artifactStore" not in declaration:
        raise _wrong("Pipeline must have an artifact store")
    if declaration.get("triggers"):
        raise _wrong("gbg_sandbox does not run pipeline triggers; start it from an EventBridge rule")
    if declaration["pipelineType"] == "V1":
        newer = [key for key in ("variables", "triggers") if declaration.get(key)]
        if declaration["executionMode"] != "SUPERSEDED":
            newer.append(f"executionMode {declaration['executionMode']}")
        if newer:
            raise _wrong(f"Pipeline type V1 can't have {newer[0]}; use pipelineType V2")


def _check_stages(stages: Sequence[Mapping[str, Any]]) -> None:
    if len(stages) < 2:
        raise _wrong(
            f"Pipeline has only {len(stages)} stage(s). There should be a minimum of 2 stages in a pipeline"
        )
    for name, count in Counter(stage["name"] for stage in stages).items():
        if not NAME.fullmatch(name):
            raise _wrong(f"{name!r} is not a valid stage name")
        if count > 1:
            raise _wrong(f"Stage name {name} is used {count} times; stage names must be unique in a pipeline")
    if any(action["actionTypeId"]["category"] != "Source" for action in stages[0]["actions"]):
        raise _wrong("Pipeline should start with a stage that only contains source actions")
    for stage in stages[1:]:
        if any(action["actionTypeId"]["category"] == "Source" for action in stage["actions"]):
            raise _wrong(f"Source actions belong into the first stage only, not into {stage['name']}")


def _check_stage(stage: Mapping[str, Any], pipeline_type: str) -> None:
    name = stage["name"]
    for key in ("beforeEntry", "onSuccess", "blockers"):
        if stage.get(key):
            raise _wrong(f"gbg_sandbox does not run {key} of stage {name}")
    on_failure = stage.get("onFailure", {})
    if on_failure and pipeline_type == "V1":
        raise _wrong(f"Pipeline type V1 can't have onFailure (stage {name}); use pipelineType V2")
    if on_failure.get("conditions"):
        raise _wrong(f"gbg_sandbox does not run conditions of onFailure in stage {name}")
    if on_failure.get("result") == "SKIP":
        raise _wrong(f"onFailure of stage {name} can't have the result SKIP; it is for beforeEntry")
    if not stage["actions"]:
        raise _wrong(f"Stage {name} must have at least one action")
    for action, count in Counter(action["name"] for action in stage["actions"]).items():
        if count > 1:
            raise _wrong(
                f"Action name {action} is used {count} times in stage {name}; it must be unique there"
            )


def _check_action(action: Mapping[str, Any], region: str) -> None:
    name, type_id = action["name"], action["actionTypeId"]
    kind = action_types.find(type_id)
    if kind is None:
        raise _wrong(
            f"ActionType (Category: '{type_id['category']}', Provider: '{type_id['provider']}', Owner: "
            f"'{type_id['owner']}', Version: '{type_id['version']}') in action '{name}' is not available: "
            f"gbg_sandbox runs AWS's {action_types.known()}, version 1"
        )
    for key in REFUSED_IN_ACTION:
        if action.get(key):
            raise _wrong(f"gbg_sandbox does not run {key} of action {name}")
    if action.get("timeoutInMinutes") and kind.category != "Approval":
        raise _wrong(f"gbg_sandbox runs timeoutInMinutes for manual approvals only, not for action {name}")
    if action.get("region", region) != region:
        raise _wrong(f"gbg_sandbox has the Region {region} only; action {name} asks for {action['region']}")
    _check_configuration(name, kind, action["configuration"])
    for label, (least, most) in (("input", kind.inputs), ("output", kind.outputs)):
        count = len(action[f"{label}Artifacts"])
        if not least <= count <= most:
            allowed = str(least) if least == most else f"{least} to {most}"
            raise _wrong(f"Action {name} declares {count} {label} artifacts; {kind.provider} takes {allowed}")


def _check_configuration(name: str, kind: action_types.ActionType, given: Mapping[str, str]) -> None:
    for key in kind.required:
        if not given.get(key):
            raise _wrong(
                f"Action configuration for action '{name}' is missing required configuration '{key}'"
            )
    for key, value in given.items():
        if key not in (*kind.required, *kind.optional):
            raise _wrong(f"Action configuration for action '{name}' contains unknown configuration '{key}'")
        if len(value) > LONGEST_VALUE:
            raise _wrong(f"Configuration {key} of action '{name}' is longer than {LONGEST_VALUE} characters")
    for key, (value, default) in kind.fixed.items():
        if given.get(key, default).lower() != value.lower():
            raise _wrong(
                f"gbg_sandbox runs {key} of action '{name}' only as \"{value}\", "
                f'not as "{given.get(key, default)}"{"" if key in given else " (the default)"}'
            )


def _check_artifacts(stages: Sequence[Mapping[str, Any]]) -> None:
    """An input is what an earlier stage, or an earlier runOrder of the same, has put out."""
    made: list[str] = []
    for stage in stages:
        for group in groups(stage["actions"]):
            for action in group:
                for one in action["inputArtifacts"]:
                    if one["name"] not in made:
                        raise _wrong(
                            f"Input Artifact Bundle {one['name']} in action {action['name']} is not declared "
                            f"as Output Artifact Bundle in any of the preceding actions"
                        )
            made += [one["name"] for action in group for one in action["outputArtifacts"]]
    doubled = next((name for name, count in Counter(made).items() if count > 1), None)
    if doubled:
        raise _wrong(f"Output Artifact Bundle name must be unique in the pipeline: {doubled} is used twice")


def _check_namespaces(stages: Sequence[Mapping[str, Any]]) -> None:
    known = set(PIPELINE_NAMESPACES)
    for stage in stages:
        for group in groups(stage["actions"]):
            for action in group:
                for namespace in _used(action):
                    if namespace not in known:
                        raise _wrong(
                            f"Action {action['name']} references the variable namespace {namespace}, "
                            "which no preceding action has"
                        )
            for namespace in [action["namespace"] for action in group if "namespace" in action]:
                if namespace in known:
                    raise _wrong(f"Namespace {namespace} is used twice; a namespace belongs to one action")
                known.add(namespace)


def _used(action: Mapping[str, Any]) -> Iterator[str]:
    for value in action["configuration"].values():
        for namespace, _ in references(value):
            yield namespace
