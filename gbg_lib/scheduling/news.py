"""Who is told of a job inside AWS: its own topic, and whoever `notify` of its parameters file names.

What a build is given can be read by many: a webhook's address is refused there, `ssm:/name` is not.
"""

from __future__ import annotations

import json
from typing import Any

from gbg_lib.errors import ParameterError
from gbg_lib.notify.addresses import Address, Topic, Webhook, parse

VARIABLE = "NOTIFY"
"""of the build's environment: who is told"""
PARAMETER = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter"


def with_news(template: str, notify: str) -> str:
    """The jobs' template, its project with these addresses beside its topic, and the rights to reach them.

    Raises ParameterError for a webhook's address.
    """
    addresses = parse(notify)
    if not addresses:
        return template
    made: dict[str, Any] = json.loads(template)
    statements = [_right(one) for one in addresses]
    role, project = (made["Resources"][name]["Properties"] for name in ("ProjectRole", "Project"))
    role["Policies"].append(
        {"PolicyName": "news", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}
    )
    [variable] = [one for one in project["Environment"]["EnvironmentVariables"] if one["Name"] == VARIABLE]
    variable["Value"] = {"Fn::Sub": ", ".join(["${Topic}", *(one.shown for one in addresses)])}
    return json.dumps(made, separators=(",", ":"))


def _right(address: Address) -> dict[str, Any]:
    if isinstance(address, Webhook):
        raise ParameterError(
            "notify",
            f"{address.shown} is a password, and who may look at the build's project would read it",
            "keep it: `aws ssm put-parameter --type SecureString --name /gbg/chat --value https://…`, "
            "and write notify: ssm:/gbg/chat",
        )
    if isinstance(address, Topic):
        return {"Effect": "Allow", "Action": "sns:Publish", "Resource": address.arn}
    kept = {"Fn::Sub": PARAMETER + address.name}
    return {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": kept}
