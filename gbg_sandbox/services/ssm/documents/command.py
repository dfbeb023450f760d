"""Command documents: what AWS-RunShellScript and its likes ask an agent to do.

Two schemas: 1.2 (AWS-RunShellScript's own) and 2.2 with one aws:runShellScript step.
https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-command-ssm-plugin-reference.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gbg_sandbox.services.ssm.automation.document import InvalidDocument, Parameter, read_parameters
from gbg_sandbox.services.ssm.automation.values import WrongValue, from_strings, text
from gbg_sandbox.services.ssm.automation.variables import references, substitute

PLUGIN = "aws:runShellScript"
STEP_INPUTS = {"runCommand", "workingDirectory", "timeoutSeconds"}
DEFAULT_TIMEOUT_SECONDS = 3600
LONGEST_TIMEOUT_SECONDS = 172800

RUN_SHELL_SCRIPT = json.dumps(
    {
        "schemaVersion": "1.2",
        "description": "Run a shell script or specify the commands to run.",
        "parameters": {
            "commands": {
                "type": "StringList",
                "description": "(Required) Specify a shell script or a command to run.",
                "minItems": 1,
                "displayType": "textarea",
            },
            "workingDirectory": {
                "type": "String",
                "default": "",
                "description": "(Optional) The path to the working directory on your instance.",
                "maxChars": 4096,
            },
            "executionTimeout": {
                "type": "String",
                "default": "3600",
                "description": "(Optional) The time in seconds for a command to complete before it is "
                "considered to have failed. Default is 3600 (1 hour). Maximum is 172800 (48 hours).",
                "allowedPattern": "([1-9][0-9]{0,4})|(1[0-6][0-9]{4})|(17[0-1][0-9]{3})|(172[0-7][0-9]{2})"
                "|(172800)",
            },
        },
        "runtimeConfig": {
            PLUGIN: {
                "properties": [
                    {
                        "id": f"0.{PLUGIN}",
                        "runCommand": "{{ commands }}",
                        "workingDirectory": "{{ workingDirectory }}",
                        "timeoutSeconds": "{{ executionTimeout }}",
                    }
                ]
            }
        },
    },
    indent=2,
)


class InvalidParameters(ValueError):
    """What AWS answers with InvalidParameters."""


@dataclass(frozen=True)
class Script:
    """What an agent runs."""

    step: str
    """directory under awsrunShellScript/"""
    lines: Sequence[str]
    directory: str
    timeout_seconds: int


@dataclass(frozen=True)
class CommandDocument:
    schema_version: str
    description: str
    parameters: Mapping[str, Parameter]
    step: str
    inputs: Mapping[str, Any]

    def script(self, given: Mapping[str, Sequence[str]]) -> Script:
        """Raises InvalidParameters."""
        values = self._values(given)
        filled = substitute(dict(self.inputs), values.__getitem__)
        run = filled.get("runCommand", [])
        seconds = text(filled.get("timeoutSeconds", "")) or str(DEFAULT_TIMEOUT_SECONDS)
        if not seconds.isdigit() or not 0 < int(seconds) <= LONGEST_TIMEOUT_SECONDS:
            raise InvalidParameters(
                f"timeoutSeconds {seconds} is not between 1 and {LONGEST_TIMEOUT_SECONDS}"
            )
        return Script(
            step=self.step,
            lines=[text(line) for line in (run if isinstance(run, list) else [run])],
            directory=text(filled.get("workingDirectory", "")),
            timeout_seconds=int(seconds),
        )

    def _values(self, given: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        unknown = sorted(set(given) - set(self.parameters))
        if unknown:
            raise InvalidParameters(f"Parameter {', '.join(unknown)} is not defined in the document.")
        return {name: _value(parameter, given.get(name)) for name, parameter in self.parameters.items()}


def _value(parameter: Parameter, given: Sequence[str] | None) -> Any:
    if given is None:
        if parameter.default is None:
            raise InvalidParameters(f"Parameter {parameter.name} is required.")
        return parameter.default
    try:
        value = from_strings(parameter.type, given)
    except WrongValue as error:
        raise InvalidParameters(f"Parameter {parameter.name}: {error}") from error
    problem = parameter.problem(value)
    if problem:
        raise InvalidParameters(f"Parameter {parameter.name}: {problem}")
    return value


def read_command_document(content: Any) -> CommandDocument:
    """Raises InvalidDocument with the place."""
    if not isinstance(content, dict):
        raise InvalidDocument("document", "must be a map")
    version = str(content.get("schemaVersion"))
    parameters = read_parameters(content.get("parameters"))
    if version == "1.2":
        step, inputs = _runtime_config(content.get("runtimeConfig"))
    elif version == "2.2":
        step, inputs = _main_step(content.get("mainSteps"))
    else:
        raise InvalidDocument(
            "schemaVersion", f"gbg_sandbox runs Command documents of 1.2 and 2.2, not {version}"
        )
    for reference in references(inputs):
        if reference not in parameters:
            raise InvalidDocument(f"step {step}", f"{{{{ {reference} }}}} is no parameter of the document")
    return CommandDocument(version, str(content.get("description", "")), parameters, step, inputs)


def _runtime_config(raw: Any) -> tuple[str, dict[str, Any]]:
    try:
        ((plugin, config),) = raw.items()
        (properties,) = config["properties"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidDocument("runtimeConfig", "needs one plugin with one entry of properties") from error
    _only_shell("runtimeConfig", plugin)
    identity = str(properties.get("id", f"0.{PLUGIN}"))
    return identity.replace(":", ""), _inputs(
        "runtimeConfig", {k: v for k, v in properties.items() if k != "id"}
    )


def _main_step(raw: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(raw, list) or len(raw) != 1 or not isinstance(raw[0], dict):
        raise InvalidDocument("mainSteps", "gbg_sandbox runs Command documents with exactly one step")
    step = raw[0]
    unknown = sorted(set(step) - {"action", "name", "inputs", "precondition"})
    if unknown:
        raise InvalidDocument("mainSteps[0]", f"gbg_sandbox does not run a step with {', '.join(unknown)}")
    _only_shell("mainSteps[0]", step.get("action"))
    if not re.fullmatch(r"[A-Za-z0-9_-]+", str(step.get("name", ""))):
        raise InvalidDocument("mainSteps[0].name", "must be a name of letters, digits, - and _")
    return str(step["name"]), _inputs("mainSteps[0].inputs", step.get("inputs"))


def _only_shell(place: str, plugin: Any) -> None:
    if plugin != PLUGIN:
        raise InvalidDocument(place, f"gbg_sandbox runs {PLUGIN} only, not {plugin}")


def _inputs(place: str, raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict) or "runCommand" not in raw:
        raise InvalidDocument(place, "runCommand is missing")
    unknown = sorted(set(raw) - STEP_INPUTS)
    if unknown:
        raise InvalidDocument(place, f"{PLUGIN} has no input {', '.join(unknown)}")
    return dict(raw)
