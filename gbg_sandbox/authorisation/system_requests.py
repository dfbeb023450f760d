"""Operations of SSM, Logs, Lambda, IAM and CloudFormation whose resources have a form of their own."""

from __future__ import annotations

from collections.abc import Iterable

from botocore.exceptions import ClientError

from gbg_sandbox.authorisation.context import request_tags, tags_in
from gbg_sandbox.authorisation.requests import Check, Request, Rule, by_reference
from gbg_sandbox.authorisation.resources import words


def document_arn(request: Request, name: str, kind: str = "document") -> str:
    """AWS's own documents belong to no account."""
    if name.startswith("arn:"):
        return name
    account = "" if name.startswith(("AWS-", "AWSEC2-", "Amazon")) else request.cloud.account
    return f"arn:aws:ssm:{request.cloud.region}:{account}:{kind}/{name}"


def _start_automation(request: Request) -> list[Check]:
    name = request.params["DocumentName"].rpartition("/")[2]
    version = request.params.get("DocumentVersion", "$DEFAULT")
    definition = document_arn(request, name, "automation-definition")
    return [
        Check(request.action, f"{definition}:{version}"),
        Check(request.action, document_arn(request, name)),
    ]


def _send_command(request: Request) -> list[Check]:
    targets = list(request.params.get("InstanceIds", []))
    for target in request.params.get("Targets", []):
        targets += target["Values"] if target["Key"] == "InstanceIds" else ["*"]
    instances = [request.arn(f"instance/{target}", "ec2") for target in targets]
    document = document_arn(request, request.params["DocumentName"])
    return [Check(request.action, arn) for arn in [document, *instances]]


def _document(request: Request) -> list[Check]:
    keys = request_tags(tags_in(request.params))
    return [Check(request.action, document_arn(request, request.params.get("Name", "*")), keys)]


def _parameters(request: Request) -> list[Check]:
    names: Iterable[str] = request.params.get("Names") or [
        request.params.get("Name") or request.params.get("Path") or "*"
    ]
    keys = request_tags(tags_in(request.params))
    return [Check(request.action, parameter_arn(request, name), keys) for name in names]


def parameter_arn(request: Request, name: str) -> str:
    """AWS's public parameters belong to no account; a version or label is not part of the name."""
    if name.startswith("arn:"):
        return name
    account = "" if name.startswith("/aws/service/") else request.cloud.account
    return f"arn:aws:ssm:{request.cloud.region}:{account}:parameter/{name.lstrip('/').partition(':')[0]}"


def _log_group(request: Request) -> list[Check]:
    """Log groups are checked as `log-group:NAME:log-stream:`, which patterns ending in `:*` match."""
    named = request.params.get("logGroupName") or request.params.get("logGroupIdentifier") or ""
    names = request.params.get("logGroupNames") or request.params.get("logGroupIdentifiers") or [named]
    stream = request.params.get("logStreamName", "") if request.operation in OF_A_STREAM else ""
    groups = [str(name).rpartition(":log-group:")[2].removesuffix(":*") for name in names]
    return [Check(request.action, request.arn(f"log-group:{group}:log-stream:{stream}")) for group in groups]


def _function(request: Request) -> list[Check]:
    name = request.params["FunctionName"]
    short = name.partition(":function:")[2] or name
    qualifier = request.params.get("Qualifier", "")
    arn = request.arn(f"function:{short}" + (f":{qualifier}" if qualifier else ""))
    return [Check("lambda:InvokeFunction", arn)]


def _role(request: Request) -> list[Check]:
    from gbg_sandbox.authorisation.door import door

    name = request.params["RoleName"]
    path = request.params.get("Path", "/")
    known = door(request.cloud).directory.role(name)
    arn = known.arn if known else f"arn:aws:iam::{request.cloud.account}:role{path}{name}"
    keys = request_tags(tags_in(request.params))
    if "PolicyArn" in request.params:
        keys["iam:policyarn"] = request.params["PolicyArn"]
    if "PermissionsBoundary" in request.params:
        keys["iam:permissionsboundary"] = request.params["PermissionsBoundary"]
    return [Check(request.action, arn, keys)]


def _iam(request: Request) -> list[Check]:
    """IAM's ARNs have no region, and a policy is named by its own ARN or made under a path."""
    path = request.params.get("Path", "/").strip("/")
    found = by_reference(request)
    if path and request.operation.startswith("Create"):
        found = [
            Check(one.action, one.resource.replace("/", f"/{path}/", 1), one.keys)
            for one in found
            if one.resource
        ]
    return found


def _simulated(request: Request) -> list[Check]:
    return [Check(request.action, request.params.get("PolicySourceArn", "*"))]


ROLES = words(
    """
    AttachRolePolicy CreateRole DeleteRole DeleteRolePermissionsBoundary DeleteRolePolicy DetachRolePolicy
    GetRole GetRolePolicy ListAttachedRolePolicies ListInstanceProfilesForRole ListRolePolicies ListRoleTags
    PutRolePermissionsBoundary PutRolePolicy TagRole UntagRole UpdateAssumeRolePolicy UpdateRole
    UpdateRoleDescription
    """
)
OF_A_STREAM = words("CreateLogStream DeleteLogStream GetLogEvents PutLogEvents")
LOG_GROUPS = OF_A_STREAM + words(
    """
    AssociateKmsKey CreateLogGroup DeleteLogGroup DeleteMetricFilter DeleteRetentionPolicy
    DeleteSubscriptionFilter
    DescribeLogGroups DescribeLogStreams DescribeMetricFilters DescribeSubscriptionFilters FilterLogEvents
    GetLogGroupFields PutMetricFilter PutRetentionPolicy PutSubscriptionFilter StartQuery
    """
)
PARAMETERS = words(
    """
    DeleteParameter DeleteParameters GetParameter GetParameterHistory GetParameters GetParametersByPath
    LabelParameterVersion PutParameter
    """
)
DOCUMENTS = words(
    """
    CreateDocument DeleteDocument DescribeDocument DescribeDocumentPermission GetDocument ListDocumentVersions
    ModifyDocumentPermission UpdateDocument UpdateDocumentDefaultVersion
    """
)


def _change_set(request: Request) -> list[Check]:
    """A change set that is named by its ARN alone belongs to a stack all the same."""
    name = str(request.params["ChangeSetName"])
    if request.params.get("StackName") or not name.startswith("arn:"):
        return by_reference(request)
    try:
        found = request.cloud.client("cloudformation").describe_change_set(ChangeSetName=name)
    except ClientError:
        return by_reference(request)
    return [Check(request.action, found["StackId"])]


RULES: dict[str, Rule] = {
    **{
        f"cloudformation:{operation}ChangeSet": _change_set for operation in ("Describe", "Execute", "Delete")
    },
    "ssm:StartAutomationExecution": _start_automation,
    "ssm:SendCommand": _send_command,
    **{f"ssm:{operation}": _document for operation in DOCUMENTS},
    **{f"ssm:{operation}": _parameters for operation in PARAMETERS},
    **{f"logs:{operation}": _log_group for operation in LOG_GROUPS},
    **{f"iam:{operation}": _role for operation in ROLES},
    "iam:CreatePolicy": _iam,
    "iam:CreateInstanceProfile": _iam,
    "iam:CreateUser": _iam,
    "iam:SimulatePrincipalPolicy": _simulated,
    "lambda:Invoke": _function,
    "lambda:InvokeAsync": _function,
}
