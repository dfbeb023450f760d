"""What the tagging API tells of a deployment: things that carry its tag under any name, and of any kind.

It goes on telling of what is gone for a while, and knows nothing of Auto Scaling groups and roles. So it only
says where to look: whether a thing is there, and whose it is, its own service is asked.
https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from __future__ import annotations

from dataclasses import dataclass

from gbg_lib.aws import Aws
from gbg_lib.errors import AccessRefused

TAG = "gbg:deployment"
NAMESPACES = {"elbv2": "elasticloadbalancing"}
"""of ARNs, where they are not called like the service's client"""
UNTYPED = frozenset({"codecommit", "codepipeline", "s3", "sns"})
"""services whose ARNs end in the bare name"""
ASKED_THEMSELVES = frozenset(
    {
        *("cloudwatch:alarm", "codebuild:project", "codedeploy:application", "codedeploy:deploymentgroup"),
        *("events:rule", "lambda:function", "logs:log-group"),
        *("ssm:automation-execution", "ssm:document", "ssm:parameter"),
        *("elasticloadbalancing:listener", "elasticloadbalancing:listener-rule"),
        *("elasticloadbalancing:loadbalancer", "elasticloadbalancing:targetgroup"),
    }
)
"""listed in their own service, or a part of what is"""
ASKED_WHOLE = frozenset({"autoscaling", "ec2", "iam"})


@dataclass(frozen=True)
class Tagged:
    arns: tuple[str, ...] = ()
    unasked: str = ""
    """why the API could not be asked, and so tells nothing"""

    def names(self, service: str, identity: str, name: str) -> bool:
        """Whether it tells of this thing; `service` as boto3 calls it."""
        namespace = NAMESPACES.get(service, service)
        ends = (name,) if name.startswith("/") else (f":{name}", f"/{name}", f"/{identity}")
        here = [arn for arn in self.arns if arn.split(":")[2] == namespace]
        return any(arn == identity or arn.endswith(ends) for arn in here)

    def foreign(self, stacks: tuple[str, ...]) -> tuple[str, ...]:
        """What no runbook makes, and no list asks for. `stacks` are the deployment's own, which are asked."""
        return tuple(arn for arn in self.arns if not _asked(arn, stacks))


def read_tagged(aws: Aws, deployment: str) -> Tagged:
    """Without the right to ask, things go by their names alone, and `unasked` says so."""
    try:
        found = list(
            aws.pages(
                "resourcegroupstaggingapi",
                "get_resources",
                "ResourceTagMappingList",
                TagFilters=[{"Key": TAG, "Values": [deployment]}],
            )
        )
    except AccessRefused as refused:
        return Tagged(unasked=refused.what)
    return Tagged(tuple(sorted(one["ResourceARN"] for one in found)))


def _asked(arn: str, stacks: tuple[str, ...]) -> bool:
    _, _, service, _, _, resource = arn.split(":", 5)
    kind, _, rest = resource.replace(":", "/").partition("/")
    if service in UNTYPED:
        return not rest
    if (service, kind) == ("cloudformation", "stack"):
        return rest.partition("/")[0] in stacks
    return service in ASKED_WHOLE or f"{service}:{kind}" in ASKED_THEMSELVES
