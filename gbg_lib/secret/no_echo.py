"""Values of a template's NoEcho parameters: CloudFormation tells them to nobody, and so does a run.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

TELLS_NOTHING = "****"
"""what describe-stacks says in place of such a value"""


class _Template(yaml.SafeLoader):
    """Reads YAML and JSON; what `!Sub` and the like would become does not matter here."""


_Template.add_multi_constructor("!", lambda *_: None)


def values_in(request: Mapping[str, Any]) -> Iterator[str]:
    """Of a request that brings a template: what it gives to its NoEcho parameters, and their defaults."""
    declared = declared_in(str(request.get("TemplateBody", "")))
    if not declared:  # other services have Parameters of another shape
        return
    yield from (str(told["Default"]) for told in declared.values() if "Default" in told)
    for given in request.get("Parameters", []):
        if given.get("ParameterKey") in declared and "ParameterValue" in given:
            yield str(given["ParameterValue"])


def declared_in(template: str) -> dict[str, Mapping[str, Any]]:
    """The NoEcho parameters of a template; none in a text that is no template, which AWS will say itself."""
    if "NoEcho" not in template:
        return {}
    try:
        read = yaml.load(template, Loader=_Template)
    except yaml.YAMLError:
        return {}
    parameters = read.get("Parameters") if isinstance(read, Mapping) else None
    return {
        name: told
        for name, told in (parameters.items() if isinstance(parameters, Mapping) else ())
        if isinstance(told, Mapping) and str(told.get("NoEcho", "")).lower() == "true"
    }
