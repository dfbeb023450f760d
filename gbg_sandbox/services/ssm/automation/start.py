"""Everything that is decided before the first step: parameters, role, `{{ ssm:… }}` defaults.

A refusal here is an error of StartAutomationExecution, not a failed execution.
https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-troubleshooting.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError, Principal
from gbg_sandbox.services.ssm.automation.actions.work import SERVICE_PRINCIPAL
from gbg_sandbox.services.ssm.automation.document import AutomationDocument, Parameter
from gbg_sandbox.services.ssm.automation.values import WrongValue, from_strings, typed
from gbg_sandbox.services.ssm.automation.variables import SSM_REFERENCE, substitute

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+")


def _refusal(message: str) -> AwsError:
    return AwsError("InvalidAutomationExecutionParametersException", message)


def given_parameters(document: AutomationDocument, given: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Typed values; a default with `{{ ssm:… }}` stays as it is for `resolve_defaults`."""
    unknown = sorted(set(given) - set(document.parameters))
    if unknown:
        raise _refusal(
            f"Parameters {', '.join(unknown)} are not defined in the document; "
            f"it has {', '.join(document.parameters) or 'none'}."
        )
    return {name: _value(parameter, given.get(name)) for name, parameter in document.parameters.items()}


def _value(parameter: Parameter, given: Sequence[str] | None) -> Any:
    if given is None:
        if parameter.default is None:
            raise _refusal(f"Parameter {parameter.name} has no default and must be given.")
        return parameter.default
    try:
        value = from_strings(parameter.type, given)
    except WrongValue as error:
        raise _refusal(f"Parameter {parameter.name}: {error}.") from error
    problem = parameter.problem(value)
    if problem:
        raise _refusal(f"Parameter {parameter.name}: {problem}.")
    return value


def assume_role(document: AutomationDocument, values: Mapping[str, Any]) -> str:
    """The ARN of the document's role; empty when the caller's rights count."""
    role = str(substitute(document.assume_role, values.__getitem__)).strip() if document.assume_role else ""
    if role and not ROLE_ARN.fullmatch(role):
        raise _refusal("The format of the supplied assume role ARN is invalid.")
    return role


def check_role(cloud: Cloud, caller: Principal, role: str, execution_id: str) -> None:
    """The caller must be allowed to pass the role, and the role must trust Systems Manager."""
    try:
        cloud.authorise(caller, "iam:PassRole", role, {"iam:PassedToService": SERVICE_PRINCIPAL})
    except AwsError as error:
        raise AwsError("AccessDeniedException", error.message) from error
    try:
        cloud.assume(
            role,
            acting=SERVICE_PRINCIPAL,
            session=f"Automation-{execution_id}",
            source_arn=cloud.arn("ssm", f"automation-execution/{execution_id}"),
        )
    except ClientError as error:
        raise _refusal("The defined assume role is unable to be assumed.") from error


def resolve_defaults(document: AutomationDocument, values: Mapping[str, Any], client: Any) -> dict[str, Any]:
    """`{{ ssm:name }}` in defaults, read once with the execution's own rights."""
    return {name: _read(document.parameters[name], value, client) for name, value in values.items()}


def _read(parameter: Parameter, value: Any, client: Any) -> Any:
    if value is not parameter.default or "{{" not in str(value):
        return value

    def look_up(found: re.Match[str]) -> str:
        try:
            return str(client.get_parameter(Name=found.group(1))["Parameter"]["Value"])
        except ClientError as error:
            raise _refusal(f"Parameter {parameter.name}: {{{{ ssm:{found.group(1)} }}}}: {error}.") from error

    if isinstance(value, list):
        return [SSM_REFERENCE.sub(look_up, str(item)) for item in value]
    try:
        return typed(parameter.type, SSM_REFERENCE.sub(look_up, str(value)))
    except WrongValue as error:
        raise _refusal(f"Parameter {parameter.name}: {error}.") from error
