"""What gets deployed: two CloudFormation templates, their Lambda functions and the sample application.

The functions are files of their own, so that they are checked and tested as any other code. A line
`# include: NAME` in a template stands for such a file; `template` puts it in.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from gbg_lib.blueprint.compact import compact

BLUEPRINT = Path(__file__).parent
APPLICATION = BLUEPRINT / "part2"
"""the sample web application: a directory whose files are the repository's first commit"""

BODY_LIMIT = 51_200
"""bytes that CloudFormation takes as a template body
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html)"""

INCLUDE = re.compile(r"^( *)# include: (\S+)$", re.MULTILINE)


def template(part: int | str) -> str:
    """The CloudFormation template of part 1 or 3, or of `jobs`: compact JSON as AWS gets it, functions in it.

    JSON because the body has a limit, and a fifth of the YAML is indentation.
    Raises FileNotFoundError for a part without a template, yaml.YAMLError for a broken one.
    """
    folder = BLUEPRINT / (f"part{part}" if isinstance(part, int) else part)

    def included(match: re.Match[str]) -> str:
        indent, name = match.groups()
        text = (folder / name).read_text()
        text = compact(text) if name.endswith(".py") else text
        return "\n".join(indent + line for line in text.splitlines())

    text = INCLUDE.sub(included, (folder / "template.yaml").read_text())
    return json.dumps(yaml.load(text, Loader=TemplateLoader), separators=(",", ":"))


class TemplateLoader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Ref x` is `{"Ref": "x"}`, `!Sub x` is `{"Fn::Sub": "x"}`."""


def _long_form(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


TemplateLoader.add_multi_constructor("!", _long_form)
