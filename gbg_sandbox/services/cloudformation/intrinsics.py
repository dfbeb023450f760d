"""CloudFormation's functions: their evaluation, and the checks that need no stack.

Values that are known only after something has been created are `AFTER_APPLY`, the text that AWS shows in
change sets; functions over it stay unknown.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from gbg_sandbox.services.cloudformation.errors import TemplateError, refuse

AFTER_APPLY = "{{changeSet:KNOWN_AFTER_APPLY}}"
SUPPORTED = (
    "Fn::And",
    "Fn::Base64",
    "Fn::Cidr",
    "Fn::Equals",
    "Fn::FindInMap",
    "Fn::GetAZs",
    "Fn::GetAtt",
    "Fn::If",
    "Fn::ImportValue",
    "Fn::Join",
    "Fn::Not",
    "Fn::Or",
    "Fn::Select",
    "Fn::Split",
    "Fn::Sub",
)
CONDITION_FUNCTIONS = frozenset({"Fn::And", "Fn::Equals", "Fn::Not", "Fn::Or"})
SUB_VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")
DYNAMIC = re.compile(r"\{\{resolve:([^:}]+):([^}]*)\}\}")


class NoValue:
    """Ref AWS::NoValue: the property is left out."""


NO_VALUE = NoValue()


class Scope(Protocol):
    """What names mean where a value is evaluated."""

    def ref(self, name: str, path: str) -> Any: ...

    def attribute(self, logical_id: str, attribute: str, path: str) -> Any: ...

    def condition(self, name: str, path: str) -> bool: ...

    def mapping(self, name: str, top: str, second: str) -> Any: ...

    def imported(self, name: str) -> str: ...

    def zones(self, region: str) -> list[str]: ...

    def parameter_store(self, reference: str) -> str: ...


def function_of(value: Any) -> str:
    """The function's name if `value` is a call of one, else empty."""
    if isinstance(value, dict) and len(value) == 1:
        name = next(iter(value))
        if name == "Ref" or name.startswith("Fn::"):
            return str(name)
    return ""


def unknown(value: Any) -> bool:
    """Whether a value holds something that is known only after the change."""
    if isinstance(value, str):
        return AFTER_APPLY in value
    if isinstance(value, dict):
        return any(unknown(item) for item in value.values())
    return isinstance(value, list) and any(unknown(item) for item in value)


def as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class Evaluator:
    """Evaluates template values in a scope; `path` names the place for error messages."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def value(self, value: Any, path: str) -> Any:
        """Plain data, without functions and without what Ref AWS::NoValue removes."""
        if isinstance(value, str):
            return self._dynamic(value, path)
        if isinstance(value, list):
            items = [self.value(item, f"{path}/{index}") for index, item in enumerate(value)]
            return [item for item in items if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        name = function_of(value)
        if name:
            return self._call(name, value[name], path)
        members = {key: self.value(item, f"{path}/{key}") for key, item in value.items()}
        return {key: item for key, item in members.items() if item is not NO_VALUE}

    def condition(self, value: Any, path: str) -> bool:
        """A condition's truth."""
        if isinstance(value, dict) and len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Condition":
                return self.scope.condition(str(argument), path)
            if name == "Fn::Equals":
                left, right = self._arguments(name, argument, path, 2)
                return as_text(left) == as_text(right)
            if name == "Fn::Not":
                return not self._conditions(name, argument, path, 1, 1)[0]
            if name in ("Fn::And", "Fn::Or"):
                combine = all if name == "Fn::And" else any
                return combine(self._conditions(name, argument, path, 2, 10))
        raise TemplateError(
            f"Template format error: Every Conditions member must be a condition function; see {path}"
        )

    def _conditions(self, name: str, argument: Any, path: str, least: int, most: int) -> list[bool]:
        if not isinstance(argument, list) or not least <= len(argument) <= most:
            span = f"{least} and {most}" if most > least else "one"
            raise TemplateError(
                f"Template error: every {name} object needs a list of {span} conditions; see {path}"
            )
        return [self.condition(item, f"{path}/{name}/{index}") for index, item in enumerate(argument)]

    def _call(self, name: str, argument: Any, path: str) -> Any:
        if name == "Ref":
            if not isinstance(argument, str):
                raise TemplateError(
                    f"Template error: every Ref object must have a single String value; see {path}"
                )
            return self.scope.ref(argument, path)
        if name not in FUNCTIONS:
            raise unsupported(name, path)
        return FUNCTIONS[name](self, argument, f"{path}/{name}")

    def _arguments(self, name: str, argument: Any, path: str, *counts: int) -> list[Any]:
        if not isinstance(argument, list) or len(argument) not in counts:
            need = " or ".join(str(count) for count in counts)
            raise TemplateError(
                f"Template error: every {name} object requires a list of {need} parameters; see {path}"
            )
        return [self.value(item, f"{path}/{index}") for index, item in enumerate(argument)]

    def _dynamic(self, text: str, path: str) -> str:
        """{{resolve:ssm:name}} and {{resolve:ssm:name:version}}."""

        def resolve(match: re.Match[str]) -> str:
            if match[1] != "ssm":
                raise refuse(f"the dynamic reference {{{{resolve:{match[1]}:…}}}} ({path})")
            return self.scope.parameter_store(match[2])

        return DYNAMIC.sub(resolve, text) if "{{resolve:" in text else text

    def get_att(self, argument: Any, path: str) -> Any:
        if isinstance(argument, str):
            argument = argument.split(".", 1)
        if not isinstance(argument, list) or len(argument) < 2 or not isinstance(argument[0], str):
            raise TemplateError(
                "Template error: every Fn::GetAtt object requires two non-empty parameters, "
                "the resource name and the resource attribute"
            )
        parts = [as_text(self.value(part, path)) for part in argument[1:]]
        return self.scope.attribute(argument[0], ".".join(parts), path)

    def sub(self, argument: Any, path: str) -> str:
        text, given = _sub_parts(argument)
        variables = {key: self.value(value, f"{path}/{key}") for key, value in given.items()}

        def replace(match: re.Match[str]) -> str:
            literal, name = match[1], match[2].strip()
            if literal:
                return "${" + match[2] + "}"
            if name in variables:
                found = variables[name]
            elif "." in name:
                logical_id, _, attribute = name.partition(".")
                found = self.scope.attribute(logical_id, attribute, path)
            else:
                found = self.scope.ref(name, path)
            if isinstance(found, (list, dict, NoValue)):
                raise TemplateError(
                    f"Template error: variable {name} in Fn::Sub expression does not resolve to a string"
                )
            return as_text(found)

        return self._dynamic(SUB_VARIABLE.sub(replace, text), path)

    def join(self, argument: Any, path: str) -> str:
        if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[0], str):
            raise _join_needs()
        items = self.value(argument[1], path)
        if isinstance(items, str) and unknown(items):
            return items
        if not isinstance(items, list) or any(isinstance(item, (list, dict)) for item in items):
            raise _join_needs()
        return self._dynamic(argument[0].join(as_text(item) for item in items), path)

    def select(self, argument: Any, path: str) -> Any:
        index, items = self._arguments("Fn::Select", argument, path, 2)
        if isinstance(items, str) and unknown(items):
            return AFTER_APPLY
        if not isinstance(items, list) or not as_text(index).isdigit():
            raise TemplateError(
                "Template error: Fn::Select requires a list argument with two elements: "
                "an integer index and a list"
            )
        if int(index) < len(items):
            return items[int(index)]
        if unknown(items):
            return AFTER_APPLY
        raise TemplateError(f"Template error: Fn::Select  cannot select nonexistent value at index {index}")

    def split(self, argument: Any, path: str) -> list[str]:
        delimiter, text = self._arguments("Fn::Split", argument, path, 2)
        if not isinstance(text, str) or not isinstance(delimiter, str) or not delimiter:
            raise TemplateError(
                "Template error: every Fn::Split object requires two parameters, "
                "(1) a string delimiter and (2) a string to be split or a function that returns "
                "a string to be split."
            )
        return text.split(delimiter)

    def choose(self, argument: Any, path: str) -> Any:
        if not isinstance(argument, list) or len(argument) != 3 or not isinstance(argument[0], str):
            raise TemplateError(
                "Template error: Fn::If requires a list argument with the first element being a condition"
            )
        chosen = 1 if self.scope.condition(argument[0], path) else 2
        return self.value(argument[chosen], f"{path}/{chosen}")

    def find_in_map(self, argument: Any, path: str) -> Any:
        name, top, second = self._arguments("Fn::FindInMap", argument, path, 3)
        return self.scope.mapping(as_text(name), as_text(top), as_text(second))

    def imported(self, argument: Any, path: str) -> str:
        return self.scope.imported(as_text(self.value(argument, path)))

    def base64(self, argument: Any, path: str) -> str:
        text = self.value(argument, path)
        if not isinstance(text, str):
            raise TemplateError("Template error: every Fn::Base64 object must have a String-typed value.")
        return AFTER_APPLY if unknown(text) else base64.b64encode(text.encode()).decode()

    def cidr(self, argument: Any, path: str) -> Any:
        block, count, *bits = self._arguments("Fn::Cidr", argument, path, 2, 3)
        if unknown(block):
            return AFTER_APPLY
        try:
            network = ipaddress.ip_network(str(block), strict=False)
            subnets = network.subnets(new_prefix=network.max_prefixlen - int(bits[0] if bits else 8))
            found = [str(subnet) for subnet, _ in zip(subnets, range(int(count)), strict=False)]
        except ValueError as error:
            raise TemplateError(f"Template error: Fn::Cidr: {error}; see {path}") from error
        if len(found) < int(count):
            raise TemplateError(
                f"Template error: Fn::Cidr: {block} has no room for {count} ranges; see {path}"
            )
        return found

    def zones(self, argument: Any, path: str) -> list[str]:
        return self.scope.zones(as_text(self.value(argument, path)))

    def not_here(self, argument: Any, path: str) -> Any:
        raise TemplateError(f"Template error: condition functions can only be used in Conditions; see {path}")


def _sub_parts(argument: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(argument, str):
        return argument, {}
    if (
        isinstance(argument, list)
        and len(argument) == 2
        and isinstance(argument[0], str)
        and isinstance(argument[1], dict)
    ):
        return argument[0], argument[1]
    raise TemplateError(
        "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. "
        "Specify a string as first argument, and an optional second argument to specify a mapping of values "
        "to replace in the string"
    )


def _join_needs() -> TemplateError:
    return TemplateError(
        "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and "
        "(2) a list of strings to be joined or a function that returns a list of strings (such "
        "as Fn::GetAZs) to be joined."
    )


def unsupported(name: str, path: str) -> TemplateError:
    return TemplateError(
        f"Template error: Encountered unsupported function: {name} in {path} "
        f"Supported functions are: [{', '.join(SUPPORTED)}]"
    )


FUNCTIONS: dict[str, Callable[[Evaluator, Any, str], Any]] = {
    "Fn::Base64": Evaluator.base64,
    "Fn::Cidr": Evaluator.cidr,
    "Fn::FindInMap": Evaluator.find_in_map,
    "Fn::GetAZs": Evaluator.zones,
    "Fn::GetAtt": Evaluator.get_att,
    "Fn::If": Evaluator.choose,
    "Fn::ImportValue": Evaluator.imported,
    "Fn::Join": Evaluator.join,
    "Fn::Select": Evaluator.select,
    "Fn::Split": Evaluator.split,
    "Fn::Sub": Evaluator.sub,
    **dict.fromkeys(CONDITION_FUNCTIONS, Evaluator.not_here),
}


def names_in(value: Any) -> Iterator[tuple[str, str]]:
    """Every name mentioned: ("Ref", name), ("GetAtt", "resource.attribute"), ("Condition", name)."""
    if isinstance(value, list):
        for item in value:
            yield from names_in(item)
        return
    if not isinstance(value, dict):
        return
    name = function_of(value)
    argument = value.get(name)
    if name == "Ref" and isinstance(argument, str):
        yield "Ref", argument
    elif name == "Fn::GetAtt":
        parts = argument if isinstance(argument, list) else str(argument).split(".", 1)
        yield "GetAtt", ".".join(part for part in parts if isinstance(part, str))
        yield from names_in(argument)
    elif name == "Fn::Sub":
        yield from _names_in_sub(argument)
    else:
        if name == "Fn::If" and isinstance(argument, list) and argument:
            yield "Condition", str(argument[0])
        for item in value.values():
            yield from names_in(item)


def _names_in_sub(argument: Any) -> Iterator[tuple[str, str]]:
    text, given = _sub_parts(argument)
    for match in SUB_VARIABLE.finditer(text):
        name = match[2].strip()
        if match[1] or name in given:
            continue
        yield ("GetAtt" if "." in name else "Ref"), name
    yield from names_in(list(given.values()))
