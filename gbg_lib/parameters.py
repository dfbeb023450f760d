"""The parameters of all runbooks: one schema for notebooks, files, command line, forms and docs.

A name that is not here is refused before anything runs, with the nearest name that is.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from gbg_lib.errors import MisuseError, ParameterError
from gbg_lib.jobs import window
from gbg_lib.nearest import nearest
from gbg_lib.notify import addresses
from gbg_lib.secret.values import learn

WELCOME, BASE, SEED, PIPELINE, RELEASE = "00", "01", "02", "03", "04"
ROLLBACK, REPLAY, REPAIR, DRILLS, TEARDOWN = "05", "06", "07", "08", "09"
REBAKE, TIMED_RELEASE, ARCHIVE, PRUNE_IMAGES = "rebake", "timed_release", "archive", "prune_images"
DRIFT_REPORT = "drift_report"
JOBS = (REBAKE, TIMED_RELEASE)
"""runbooks in runbooks/jobs/ that release"""
CHANGING = (
    *(WELCOME, BASE, SEED, PIPELINE, RELEASE, ROLLBACK, REPAIR, DRILLS, TEARDOWN),
    *(*JOBS, ARCHIVE, PRUNE_IMAGES),
)
"""runbooks that change something, and the first"""
EVERY = (*CHANGING, REPLAY, DRIFT_REPORT)
RELEASES = (RELEASE, ROLLBACK, *JOBS)
"""runbooks that bring a fleet into service"""
RUNNER = "gbg run"
"""reads parameters that no notebook does"""
INJECTED = "# Parameters"
"""first line of the cell that papermill puts in"""


def _parameter(default: Any, description: str, runbooks: Iterable[str], **constraints: Any) -> Any:
    extra = {"runbooks": list(runbooks)}
    return Field(default, description=description, json_schema_extra=extra, **constraints)  # type: ignore[arg-type]


class Parameters(BaseModel):
    """Values as given or as resolved; frozen, and strict about names and types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    cloud: Literal["sandbox", "aws"] = _parameter("sandbox", "where it all happens", EVERY)
    deployment: str = _parameter(
        "gbg",
        "begins every name; copies with other names live side by side",
        EVERY,
        pattern=r"^[a-z][a-z0-9-]{1,18}[a-z0-9]$",
    )
    region: str = _parameter("us-east-1", "AWS Region", EVERY, pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    profile: str = _parameter("", "AWS profile; empty takes the default (the sandbox has its own)", EVERY)
    explain: bool = _parameter(False, "show what would be done, and do nothing", [*CHANGING, REPLAY])
    acknowledged: bool = _parameter(
        False, "on AWS: the plan was read and is wanted; without it nothing is changed there", CHANGING
    )
    vpc_cidr: str = _parameter(
        "10.0.0.0/16", "address range of the VPC", [BASE], pattern=r"^\d{1,3}(\.\d{1,3}){3}/(1[6-9]|2[0-4])$"
    )
    instance_type: str = _parameter("t3.small", "EC2 instance type of fleet and builder (x86_64)", [BASE])
    instance_count: int = _parameter(
        2, "instances in the fleet; it may grow to twice as many under load", [BASE], ge=1, le=50
    )
    os_release: str = _parameter(
        "2023.12.20260710",
        "Amazon Linux 2023 release that golden AMIs are brought to",
        [BASE],
        pattern=r"^2023\.\d+\.\d{8}$",
    )
    termination_wait_minutes: int = _parameter(
        5, "how long blue stays after green has the traffic, in minutes", [BASE], ge=0, le=2800
    )
    ready_wait_minutes: int = _parameter(
        0,
        "how long green waits to be tested before it has traffic, in minutes; 0 is not at all",
        [BASE],
        ge=0,
        le=2880,
    )
    application_folder: str = _parameter(
        "", "folder to push, relative to this project's; empty takes the sample application", [SEED]
    )
    headline: str = _parameter(
        "",
        "what the sample application's page is to say; empty leaves it as it is",
        [SEED],
        max_length=80,
    )
    branch: str = _parameter("main", "branch that is released", [SEED, PIPELINE, DRILLS, TIMED_RELEASE])
    execution_id: str = _parameter(
        "", "pipeline execution to follow; empty takes the newest, or starts the first", [RELEASE]
    )
    release_minutes: int = _parameter(
        90, "time limit of a release, in minutes", [*RELEASES, DRILLS], ge=1, le=1440
    )
    drill: str = _parameter("", "which drill; empty draws one by chance", [DRILLS])
    seed: int = _parameter(0, "the same seed draws the same drill", [DRILLS], ge=0)
    predictions: str = _parameter(
        "", "what you expect: answers to stage, serves and cause, with commas between", [DRILLS]
    )
    gate_minutes: int = _parameter(5, "time limit of a gate to find out, in minutes", RELEASES, ge=0, le=120)
    watch_minutes: int = _parameter(
        3,
        "how long green is watched while blue still stays, in minutes; 0 leaves that gate out",
        RELEASES,
        ge=0,
        le=2800,
    )
    error_percent: int = _parameter(
        1, "how many more answers in a hundred may be errors than with blue", RELEASES, ge=0, le=100
    )
    latency_percent: int = _parameter(
        50, "how much slower than blue green may answer, in percent", RELEASES, ge=0, le=1000
    )
    latency_milliseconds: int = _parameter(
        1000, "a mean time to answer that is good enough, whatever blue's was", RELEASES, ge=1, le=60000
    )
    fewest_requests: int = _parameter(
        20, "green's answers below which its figures tell nothing", RELEASES, ge=1, le=1000000
    )
    decision: Literal["", "ask", "go", "stop"] = _parameter(
        "",
        "answer to what a gate can't tell: go or stop; ask: a person decides before traffic moves",
        RELEASES,
    )
    way_back: Literal["", "blue", "stay", "redeploy", "retry"] = _parameter(
        "", "which way back to take; empty takes the first that is open", [ROLLBACK]
    )
    release_to: str = _parameter(
        "", "pipeline execution to go back to; empty takes the last good one", [ROLLBACK]
    )
    sweep: bool = _parameter(False, "remove what failed runs have left behind", [REPAIR])
    accepted_drift: Literal["none", "releases", "all"] = _parameter(
        "releases", "what may differ, and be left behind, for a drift report to end well", [DRIFT_REPORT]
    )
    window: str = _parameter(
        "",
        "when a job may start a release, `Mon-Thu 20:00-23:00 Europe/Berlin`; empty is any time",
        JOBS,
    )
    record: str = _parameter(
        "example",
        "an execution id, a record's path or s3:// address, `newest`, or the `example`",
        [REPLAY],
        min_length=1,
    )
    patch_release: str = _parameter(
        "",
        "Amazon Linux release to rebake on, also when it is not newer; empty takes the newest",
        [REBAKE],
        pattern=r"^(2023\.\d+\.\d{8})?$",
    )
    keep_images: int = _parameter(
        5, "how many of the last good golden AMIs stay, whoever uses them", [PRUNE_IMAGES], ge=1, le=1000
    )
    keep_recorded_days: int = _parameter(
        365,
        "how long a release's record keeps its golden AMI, in days; 0 is not at all",
        [PRUNE_IMAGES],
        ge=0,
        le=36500,
    )
    confirm: str = _parameter(
        "", "the deployment's name, typed, to remove it; empty only shows what would be removed", [TEARDOWN]
    )
    remove_records: bool = _parameter(
        False, "remove the bucket with the records of releases, too", [TEARDOWN]
    )
    notify: str = _parameter(
        "",
        "who is told when a run ends: SNS topic ARN, https:// webhook in Slack's form, or ssm:/name that "
        "holds one; several with commas",
        [RUNNER],
    )
    notify_on: Literal["end", "failure"] = _parameter(
        "end", "whether every end is told, or only of runs that are not done", [RUNNER]
    )

    @field_validator("*", mode="before")
    @classmethod
    def _said(cls, value: Any, info: ValidationInfo) -> Any:
        """Plain papermill hands `-p acknowledged true` on as a text."""
        field = cls.model_fields[str(info.field_name)]
        return _typed(value, field) if field.annotation is bool and isinstance(value, str) else value

    @field_validator("window", "notify")
    @classmethod
    def _readable(cls, text: str, info: ValidationInfo) -> str:
        try:
            READERS[str(info.field_name)](text)
        except ParameterError as error:
            raise ValueError(f"{error.what}; {error.try_this}") from error
        return text

    @classmethod
    def from_cell(cls, namespace: Mapping[str, Any]) -> Parameters:
        """From the variables of a notebook's parameters cell. Raises ParameterError.

        Where the notebook has a history (`In`), a name in a parameters cell that is none of ours is refused.
        """
        cells = map(names_set, namespace.get("In", []))
        names = [*cls.model_fields, *(name for cell in cells for name in cell)]
        return checked({name: namespace[name] for name in names if name in namespace}, "parameters cell")


def addresses_in(text: str) -> list[str]:
    """The web addresses of a parameter that is hidden: they are passwords."""
    return [word.strip() for word in text.split(",") if "://" in word]


def checked(values: Mapping[str, Any], where: str, lines: Mapping[str, int] | None = None) -> Parameters:
    """Values against the schema. Raises ParameterError: place, expected type, nearest name."""
    for name in values:
        if name not in Parameters.model_fields:
            raise ParameterError(
                _place(where, name, lines), f"there is no parameter {name!r}", _nearest(name)
            )
    learn(*(word for name in HIDDEN for word in addresses_in(str(values.get(name, "")))))
    try:
        return Parameters(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise ParameterError(
            _place(where, name, lines),
            f"{name}={_shown(name, values[name])}: {first['msg'][0].lower()}{first['msg'][1:]}",
            f"{name} is {kind(Parameters.model_fields[name])}: {Parameters.model_fields[name].description}",
        ) from error


def load_file(path: Path) -> dict[str, Any]:
    """The values in an environment's YAML file, checked. Raises MisuseError, ParameterError."""
    if not path.is_file():
        raise MisuseError("parameters file", f"{path} is not a file", "one of parameters/*.yaml")
    try:
        text = path.read_text()
        values = yaml.safe_load(text) or {}
        tree = yaml.compose(text)
    except yaml.YAMLError as error:
        raise ParameterError(
            str(path), f"not YAML: {error}", "mend the file; one `name: value` a line"
        ) from error
    if not isinstance(values, dict):
        raise ParameterError(
            str(path), "not a list of `name: value` lines", "look at parameters/sandbox.yaml"
        )
    pairs = tree.value if isinstance(tree, yaml.MappingNode) else []
    lines: dict[str, int] = {}
    for key, _ in pairs:
        line = key.start_mark.line + 1
        if key.value in lines:
            raise ParameterError(
                f"{path}:{line}",
                f"{key.value} stands there twice, first in line {lines[key.value]}",
                "keep one",
            )
        lines[key.value] = line
    resolved = checked(values, str(path), lines)
    return {name: getattr(resolved, name) for name in values}


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """`-p name=value` words as typed values. Raises ParameterError."""
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise ParameterError("-p", f"{assignment!r} has no '='", "write -p name=value")
        if name not in Parameters.model_fields:
            raise ParameterError("-p", f"there is no parameter {name!r}", _nearest(name))
        values[name] = _typed(text, Parameters.model_fields[name])
    checked(values, "-p")
    return values


def names_set(source: str) -> list[str]:
    """What a parameters cell sets; nothing for another cell.

    A parameters cell holds nothing but `name = value` lines, and a parameter of ours or papermill's heading.
    """
    try:
        nodes = ast.parse(source).body
    except SyntaxError:
        return []
    names = []
    for node in nodes:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            return []
        names.append(node.targets[0].id)
    ours = source.startswith(INJECTED) or any(name in Parameters.model_fields for name in names)
    return names if ours else []


def names_for(runbook: str) -> list[str]:
    """The parameters that a runbook (its two digits) reads, in the schema's order."""
    return [name for name, field in Parameters.model_fields.items() if runbook in runbooks_of(field)]


def runbooks_of(field: FieldInfo) -> list[str]:
    extra = field.json_schema_extra
    assert isinstance(extra, dict)
    listed = extra["runbooks"]
    assert isinstance(listed, list)
    return [str(runbook) for runbook in listed]


def parameters_cell(runbook: str) -> str:
    """The source of a notebook's parameters cell: generated, never typed."""
    lines = []
    for name in names_for(runbook):
        field = Parameters.model_fields[name]
        default = json.dumps(field.default) if isinstance(field.default, str) else repr(field.default)
        lines.append(f"{name} = {default}  # {field.description}")
    return "\n".join(lines)


def kind(field: FieldInfo) -> str:
    """A field's type and bounds in words."""
    choices = get_args(field.annotation)
    if choices:
        return "one of " + ", ".join(map(str, choices))
    name = {int: "a whole number", bool: "true or false", str: "text"}[field.annotation]  # type: ignore[index]
    bounds = [
        words.format(bound)
        for item in field.metadata
        for attribute, words in BOUNDS.items()
        if (bound := getattr(item, attribute, None)) is not None
    ]
    return " ".join([name, *bounds])


READERS: dict[str, Callable[[str], object]] = {"window": window.parse, "notify": addresses.parse}
"""what a text has to be readable by"""
HIDDEN = frozenset({"notify"})
"""a webhook's address is its password"""
BOUNDS = {"ge": "from {}", "le": "to {}", "pattern": "like {}", "max_length": "of at most {} characters"}


def _typed(text: str, field: FieldInfo) -> Any:
    if field.annotation is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if field.annotation is int:
        try:
            return int(text)
        except ValueError:
            return text
    return text


def _shown(name: str, value: object) -> str:
    return "…" if name in HIDDEN else repr(value)


def _place(where: str, name: str, lines: Mapping[str, int] | None) -> str:
    return f"{where}:{lines[name]}" if lines and name in lines else where


def _nearest(name: str) -> str:
    if near := nearest(name, Parameters.model_fields):
        field = Parameters.model_fields[near]
        return f"did you mean {near}? It is {kind(field)}: {field.description}"
    return "known are " + ", ".join(Parameters.model_fields)
